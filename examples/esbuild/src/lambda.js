import { fileURLToPath } from "node:url";
import { isIJepaError, meanPool, pipeline } from "ijepa";

// The model's folder is uploaded beside the bundle.
const model = fileURLToPath(new URL("model", import.meta.url));
let extractor;

/** One extractor serves all calls of an instance. After a failure the next call loads it anew. */
function load() {
  extractor ??= pipeline("image-feature-extraction", model).catch((error) => {
    extractor = undefined;
    throw error;
  });
  return extractor;
}

/** AWS Lambda behind a function URL: POST a photo, get its embedding. */
export async function handler({ body = "", isBase64Encoded }) {
  try {
    const extract = await load();
    const features = await extract(Buffer.from(body, isBase64Encoded ? "base64" : "latin1"));
    const answer = { embedding: [...meanPool(features).data], numerics: features.numerics };
    return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(answer) };
  } catch (error) {
    if (!isIJepaError(error)) throw error;
    return { statusCode: error.code.startsWith("image/") ? 422 : 500, body: JSON.stringify({ code: error.code, message: error.message }) };
  }
}
