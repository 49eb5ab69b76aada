import { fileURLToPath } from "node:url";
import { isIJepaError, meanPool, pipeline } from "ijepa";

// The model's folder is uploaded beside the bundle. One extractor serves all calls of an instance.
const model = fileURLToPath(new URL("model", import.meta.url));
let extractor;

/** AWS Lambda behind a function URL: POST a photo, get its embedding. */
export async function handler({ body = "", isBase64Encoded }) {
  try {
    extractor ??= pipeline("image-feature-extraction", model);
    const extract = await extractor;
    const features = await extract(Buffer.from(body, isBase64Encoded ? "base64" : "latin1"));
    const answer = { embedding: [...meanPool(features).data], numerics: features.numerics };
    return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(answer) };
  } catch (error) {
    if (!isIJepaError(error)) throw error;
    return { statusCode: error.code.startsWith("image/") ? 422 : 500, body: JSON.stringify({ code: error.code, message: error.message }) };
  }
}
