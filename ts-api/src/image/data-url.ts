/** From a `data:` URL to its bytes. */
import { fromBase64 } from "../core/base64.js";
import { readError, tooLong } from "./image-error.js";

/**
 * RFC 2397, base64 only: `data:[media type];base64,data`. The media type is ignored.
 *
 * @param name its name in messages
 * @throws IJepaError `io/read`
 */
export function readDataUrl(url: string, name: string, maxBytes: number): Uint8Array {
  const comma = url.indexOf(",");
  if (!/;\s*base64\s*$/i.test(url.slice(0, Math.max(comma, 0)))) {
    throw readError(name, "a data: URL of an image must say ;base64, before its data");
  }
  const size = Math.floor(((url.length - comma - 1) * 3) / 4);
  if (size > maxBytes) throw tooLong(name, size, maxBytes);
  try {
    return fromBase64(decodeURIComponent(url.slice(comma + 1)).replace(/\s/g, ""));
  } catch (cause) {
    throw readError(name, "its data is not base64", cause);
  }
}
