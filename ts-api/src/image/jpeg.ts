/** JPEG: a walk over the markers for size and metadata, then the pixels by mozjpeg. */
import { runtime } from "#runtime";
import { Codec } from "./codec.js";
import type { CodecFactory, RgbaPixels } from "./codec.js";
import { corrupt, unsupported } from "./image-error.js";
import type { OrientationMetadata } from "./orientation.js";

/** What the markers of a JPEG file tell. */
export interface JpegHeader extends OrientationMetadata {
  width: number;
  height: number;
}

const EOI = 0xd9;
const SOS = 0xda;
const APP1 = 0xe1;
/** Start of frame: Huffman coded and sequential or progressive; the same with arithmetic coding. */
const HUFFMAN_FRAMES = [0xc0, 0xc1, 0xc2];
const ARITHMETIC_FRAMES = [0xc9, 0xca];
const EXIF_PREFIX = "Exif\0\0";
const XMP_PREFIX = "http://ns.adobe.com/xap/1.0/\0";

/**
 * Walks over the whole file, so that a file cut anywhere before its end marker is refused: the codec itself would fill
 * the missing part with grey. Whatever follows the end marker is ignored.
 *
 * @throws IJepaError `image/corrupt`, or `image/unsupported` for CMYK, lossless and other uncommon kinds
 */
export function readJpegHeader(bytes: Uint8Array, source: string): JpegHeader {
  const exif: Uint8Array[] = [];
  let xmp: Uint8Array | undefined;
  let size: { width: number; height: number } | undefined;
  let scans = 0;
  for (let at = 2; ; ) {
    at = nextMarker(bytes, at);
    if (at >= bytes.length) throw corrupt(source, "JPEG", `the data ends at byte ${bytes.length} before its end marker`);
    const marker = bytes[at];
    if (marker === EOI) break;
    const length = at + 2 < bytes.length ? (bytes[at + 1] << 8) | bytes[at + 2] : 0;
    const end = at + 1 + length;
    if (length < 2 || end > bytes.length) throw corrupt(source, "JPEG", `the segment at byte ${at - 1} is not complete`);
    const segment = bytes.subarray(at + 3, end);
    if (marker === SOS) scans++;
    else if (marker === APP1 && scans === 0 && startsWith(segment, EXIF_PREFIX)) {
      exif.push(exif.length === 0 ? segment : segment.subarray(EXIF_PREFIX.length));
    } else if (marker === APP1 && scans === 0 && startsWith(segment, XMP_PREFIX)) xmp = segment.subarray(XMP_PREFIX.length);
    else if (isFrame(marker)) size ??= readFrame(marker, segment, source);
    at = end;
  }
  if (size === undefined || scans === 0) throw corrupt(source, "JPEG", "it has no image data");
  return { ...size, exif: exif.length > 0 ? concat(exif) : undefined, xmp };
}

/** The index of the next marker's second byte at or after `at`; the file's length when there is none. */
function nextMarker(bytes: Uint8Array, at: number): number {
  for (;;) {
    const ff = bytes.indexOf(0xff, at);
    if (ff < 0) return bytes.length;
    at = ff + 1;
    while (bytes[at] === 0xff) at++;
    const code = bytes[at];
    const stuffedOrRestart = code === 0x00 || code === 0x01 || (code >= 0xd0 && code <= 0xd7);
    if (!stuffedOrRestart) return at;
  }
}

/** C0 to CF are frames, but for the Huffman tables (C4), an extension (C8) and arithmetic conditioning (CC). */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function readFrame(marker: number, segment: Uint8Array, source: string): { width: number; height: number } {
  if (segment.length < 6) throw corrupt(source, "JPEG", "its frame header is too short");
  const [bits, heightHigh, heightLow, widthHigh, widthLow, components] = segment;
  if (ARITHMETIC_FRAMES.includes(marker)) throw unsupported(source, "JPEG", "JPEG with arithmetic coding cannot be read");
  if (!HUFFMAN_FRAMES.includes(marker)) throw unsupported(source, "JPEG", "lossless and hierarchical JPEG cannot be read");
  if (bits !== 8) throw unsupported(source, "JPEG", `JPEG with ${bits} bits a sample cannot be read`);
  if (components === 4) throw unsupported(source, "CMYK JPEG", "CMYK and YCCK JPEG cannot be read");
  if (components !== 1 && components !== 3) throw unsupported(source, "JPEG", `JPEG with ${components} components cannot be read`);
  return { width: (widthHigh << 8) | widthLow, height: (heightHigh << 8) | heightLow };
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return bytes.length >= text.length && [...text].every((char, i) => bytes[i] === char.charCodeAt(0));
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const codec = new Codec(async () => {
  const [glue, module] = await Promise.all([import("@jsquash/jpeg/codec/dec/mozjpeg_dec.js"), runtime.wasmModule("jpeg-decoder")]);
  return { factory: glue.default as unknown as CodecFactory, module };
});

/** The pixels, not turned. Throws CodecError. */
export function decodeJpeg(bytes: Uint8Array): Promise<RgbaPixels> {
  return codec.decode(bytes, false);
}
