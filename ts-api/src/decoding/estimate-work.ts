/**
 * Estimates the work that an image file announces, from its header: to refuse too much, and to keep long work from delaying short work.
 */
import { readJpegHeader } from "../image/jpeg.js";

/** Beyond this a file counts as long work: more than a second for the decoders. */
const HEAVY = 100_000_000;

/**
 * Whether a file announces so many pixels, or so many passes over them, that it takes long.
 *
 * @throws IJepaError what `decodeImage` throws for the head of a JPEG file, above all `image/too-complex`, before a thread is used
 */
export function isHeavy(bytes: Uint8Array, source: string): boolean {
  return workOf(bytes, source) > HEAVY;
}

/** Pixels, times the passes over them. */
function workOf(bytes: Uint8Array, source: string): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 30) return 0;
  if (view.getUint32(0) === 0x89504e47) return view.getUint32(16) * view.getUint32(20);
  if (view.getUint32(8) === 0x57454250) return webpPixels(view);
  return view.getUint32(0) >>> 8 === 0xffd8ff ? readJpegHeader(bytes, source).scannedPixels : 0;
}

/** Of a lossy file, a lossless one, and one with a header of its own. */
function webpPixels(view: DataView): number {
  const kind = view.getUint32(12), bits = view.getUint32(21, true);
  if (kind === 0x56503820) return (view.getUint16(26, true) & 0x3fff) * (view.getUint16(28, true) & 0x3fff);
  if (kind === 0x5650384c) return ((bits & 0x3fff) + 1) * (((bits >> 14) & 0x3fff) + 1);
  return ((view.getUint32(24, true) & 0xffffff) + 1) * ((view.getUint32(26, true) >>> 8) + 1);
}
