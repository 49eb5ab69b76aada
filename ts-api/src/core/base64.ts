/** Bytes to base64 and back. */

/** Characters for one call of String.fromCharCode; engines limit the number of arguments. */
const CHUNK = 0x2000;

/** The bytes of standard base64. Throws a DOMException if `text` is not base64. */
export function fromBase64(text: string): Uint8Array {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Standard base64, padded. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let from = 0; from < bytes.length; from += CHUNK) binary += String.fromCharCode(...bytes.subarray(from, from + CHUNK));
  return btoa(binary);
}
