/** POST /embed with a JPEG, PNG or WebP photo: its embedding as JSON. */
import { isIJepaError, pipeline } from "ijepa/worker";
import { modelFiles } from "./model-files.js";

const MAX_BODY = 8 * 2 ** 20;
/** An isolate has 128 MB, and a decoded photo takes eleven bytes for each pixel: beside a large model there is less room. */
const MAX_PIXELS = { resident: 4e6, streamed: 1e6 };

/** Loaded by the first request, used by all. */
let extractor;

export default {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname !== "/embed") return refuse(404, "POST a photo to /embed.");
    if (request.method !== "POST") return refuse(405, "POST a photo to /embed.", { Allow: "POST" });
    if (Number(request.headers.get("content-length")) > MAX_BODY) return refuse(413, `A photo may have ${MAX_BODY} bytes.`);
    const photo = await request.arrayBuffer();
    if (photo.byteLength > MAX_BODY) return refuse(413, `A photo may have ${MAX_BODY} bytes.`);

    const answer = embed(photo, env);
    // A client that goes away must not leave the model in the middle of its work.
    context.waitUntil(answer);
    return answer;
  },
};

async function embed(photo, env) {
  try {
    const extract = await open(env);
    const embedding = await extract(photo, { pool: "mean", normalize: true, maxPixels: MAX_PIXELS[layers(env)] });
    return Response.json({ embedding: [...embedding.data], dims: embedding.dims, numerics: embedding.numerics });
  } catch (error) {
    if (!isIJepaError(error)) throw error;
    const status = error.code === "image/too-large" ? 413 : error.code === "image/unsupported" ? 415 : error.code.startsWith("image/") ? 422 : 500;
    return refuse(status, error.message, {}, error.code);
  }
}

async function open(env) {
  extractor ??= pipeline("image-feature-extraction", modelFiles(env), { dtype: env.DTYPE, resident: layers(env) === "resident" });
  try {
    return await extractor;
  } catch (error) {
    extractor = undefined;
    throw error;
  }
}

function layers({ LAYERS }) {
  return LAYERS === "streamed" ? "streamed" : "resident";
}

function refuse(status, message, headers = {}, code = "request") {
  return Response.json({ error: { code, message } }, { status, headers });
}
