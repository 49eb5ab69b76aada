/** Recognises files of torch.save by name and by their first bytes. Their reader is loaded only when there is one. */

/** The signature of an entry of a zip archive. */
export const LOCAL = 0x04034b50;

/** True for files of torch.save, by the names that people give them. */
export function isTorchFile(ref: string): boolean {
  return /\.(pth|pt|ckpt|bin|tar)$/i.test(ref.replace(/^(https?:[^?#]*)[?#].*$/i, "$1"));
}

/** True for bytes that a zip file begins with. */
export function isZip(head: Uint8Array): boolean {
  return head.length >= 4 && new DataView(head.buffer, head.byteOffset).getUint32(0, true) === LOCAL;
}
