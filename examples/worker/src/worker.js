/** POST /embed with a JPEG, PNG or WebP photo: its embedding as JSON. With a queue, photos that are put into a bucket become rows. */
import { isIJepaError } from "ijepa/worker";
import { consume } from "./consumer.js";
import { embed } from "./extractor.js";

const MAX_BODY = 8 * 2 ** 20;

export default {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname !== "/embed") return refuse(404, "POST a photo to /embed.");
    if (request.method !== "POST") return refuse(405, "POST a photo to /embed.", { Allow: "POST" });
    if (Number(request.headers.get("content-length")) > MAX_BODY) return refuse(413, `A photo may have ${MAX_BODY} bytes.`);
    const photo = await request.arrayBuffer();
    if (photo.byteLength > MAX_BODY) return refuse(413, `A photo may have ${MAX_BODY} bytes.`);

    const answer = respond(photo, env);
    // A client that goes away must not leave the model in the middle of its work.
    context.waitUntil(answer);
    return answer;
  },

  queue: consume,
};

async function respond(photo, env) {
  try {
    const embedding = await embed(photo, env);
    return Response.json({ embedding: [...embedding.data], dims: embedding.dims, numerics: embedding.numerics });
  } catch (error) {
    if (!isIJepaError(error)) throw error;
    const status = error.code === "image/too-large" ? 413 : error.code === "image/unsupported" ? 415 : error.code.startsWith("image/") ? 422 : 500;
    return refuse(status, error.message, {}, error.code);
  }
}

function refuse(status, message, headers = {}, code = "request") {
  return Response.json({ error: { code, message } }, { status, headers });
}
