import { isIJepaError, meanPool, pipeline } from "ijepa";

export const prerender = false;

let extractor;

/** One extractor serves all requests. After a failure the next request loads it anew. */
function load(threads) {
  // From the folder that the server is started in; dist/client/model is what was public/model.
  extractor ??= pipeline("image-feature-extraction", process.env.MODEL ?? "dist/client/model", { threads }).catch((error) => {
    extractor = undefined;
    throw error;
  });
  return extractor;
}

/** POST a photo, get its embedding. "?threads=2" for that many threads. */
export async function POST({ request }) {
  const threads = Number(new URL(request.url).searchParams.get("threads") ?? 1);
  try {
    const extract = await load(threads);
    const features = await extract(await request.arrayBuffer());
    return Response.json({ embedding: [...meanPool(features).data], numerics: features.numerics });
  } catch (error) {
    if (!isIJepaError(error)) throw error;
    return Response.json({ code: error.code, message: error.message }, { status: error.code.startsWith("image/") ? 422 : 500 });
  }
}
