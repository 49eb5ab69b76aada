import { join } from "node:path";
import { isIJepaError, meanPool, pipeline } from "ijepa";

let extractor;

/** POST a photo, get its embedding. "?threads=2" for that many threads. */
export async function POST(request) {
  const threads = Number(new URL(request.url).searchParams.get("threads") ?? 1);
  try {
    extractor ??= pipeline("image-feature-extraction", join(process.cwd(), "public/model"), { threads });
    const extract = await extractor;
    const features = await extract(await request.arrayBuffer());
    return Response.json({ embedding: [...meanPool(features).data], numerics: features.numerics });
  } catch (error) {
    if (!isIJepaError(error)) throw error;
    return Response.json({ code: error.code, message: error.message }, { status: error.code.startsWith("image/") ? 422 : 500 });
  }
}
