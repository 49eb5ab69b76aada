import { json } from "@sveltejs/kit";
import { isIJepaError, meanPool, pipeline } from "ijepa";

let extractor;

/** One extractor serves all requests. After a failure the next request loads it anew. */
function load(threads) {
  // From the folder that the server is started in; build/client/model is what was static/model.
  extractor ??= pipeline("image-feature-extraction", process.env.MODEL ?? "build/client/model", { threads }).catch((error) => {
    extractor = undefined;
    throw error;
  });
  return extractor;
}

/** POST a photo with its Content-Type, without which SvelteKit drops the body; get its embedding. "?threads=2" for that many threads. */
export async function POST({ request }) {
  const threads = Number(new URL(request.url).searchParams.get("threads") ?? 1);
  try {
    const extract = await load(threads);
    const features = await extract(await request.arrayBuffer());
    return json({ embedding: [...meanPool(features).data], numerics: features.numerics });
  } catch (error) {
    if (!isIJepaError(error)) throw error;
    return json({ code: error.code, message: error.message }, { status: error.code.startsWith("image/") ? 422 : 500 });
  }
}
