/**
 * Estimates the work that an image file announces, from its header: to refuse too much, and to keep long work from delaying short work.
 */
import { readJpegHeader } from "../image/jpeg.js";
import { MAX_ALL_TEXT_BYTES, MAX_DEFLATE_RATIO, MAX_TEXT_BYTES } from "../image/png-format.js";

/** Beyond this a file counts as long work: more than a second for the decoders. */
export const HEAVY = 100_000_000;
/** Chunks of a PNG that are looked at; the largest pictures have some thousands. */
const MAX_CHUNKS = 4096;
const ZTXT = 0x7a545874, ITXT = 0x69545874;

/**
 * The work that a file announces, in pixels: those it has, times the passes over them.
 *
 * @throws IJepaError what `decodeImage` throws for the head of a JPEG file, above all `image/too-complex`, before a thread is used
 */
export function workOf(bytes: Uint8Array, source: string): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 30) return 0;
  if (view.getUint32(0) === 0x89504e47) return pngWork(view);
  if (view.getUint32(8) === 0x57454250) return webpPixels(view);
  return view.getUint32(0) >>> 8 === 0xffd8ff ? readJpegHeader(bytes, source).scannedPixels : 0;
}

/** Compressed texts take about as long as pixels of their size. */
function pngWork(view: DataView): number {
  let texts = 0, at = 8;
  for (let chunks = 0; chunks < MAX_CHUNKS && at + 8 <= view.byteLength; chunks++) {
    const length = view.getUint32(at), type = view.getUint32(at + 4);
    if (type === ZTXT || type === ITXT) texts += Math.min(MAX_TEXT_BYTES, MAX_DEFLATE_RATIO * length);
    at += 12 + length;
  }
  return view.getUint32(16) * view.getUint32(20) + Math.min(texts, MAX_ALL_TEXT_BYTES);
}

/** Of a lossy file, a lossless one, and one with a header of its own. */
function webpPixels(view: DataView): number {
  const kind = view.getUint32(12), bits = view.getUint32(21, true);
  if (kind === 0x56503820) return (view.getUint16(26, true) & 0x3fff) * (view.getUint16(28, true) & 0x3fff);
  if (kind === 0x5650384c) return ((bits & 0x3fff) + 1) * (((bits >> 14) & 0x3fff) + 1);
  return ((view.getUint32(24, true) & 0xffffff) + 1) * ((view.getUint32(26, true) >>> 8) + 1);
}
