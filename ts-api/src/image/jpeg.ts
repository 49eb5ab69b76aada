/** JPEG: the markers up to the first scan for size and metadata, as Pillow reads them; then the pixels by libjpeg-turbo. */
import { concatBytes } from "../core/bytes.js";
import { IJepaError } from "../core/errors.js";
import { bytesAt, Codec, CodecError, messageAt, type CodecExports } from "./codec.js";
import { corrupt, unsupported } from "./image-error.js";
import type { OrientationMetadata } from "./orientation.js";
import type { DecodedImage } from "./raw-image.js";

/** The facts in the markers of a JPEG file. */
export interface JpegHeader extends OrientationMetadata {
  width: number;
  height: number;
  /** Pixels that all of its scans cover together. */
  scannedPixels: number;
}

interface Frame {
  width: number;
  height: number;
  /** The same, up to whole blocks of every component. */
  paddedPixels: number;
  /** Coded by Huffman's method, in lossy transforms: what is decoded fastest. */
  fast: boolean;
}

interface JpegExports extends CodecExports {
  /** How many warnings there were, the template of the first, and the address of its values. */
  warnings(): number;
  warning(): number;
  warning_parameters(): number;
}

const SOI = 0xd8, EOI = 0xd9, SOS = 0xda, APP1 = 0xe1, JPG = 0xc8, DHT = 0xc4, DAC = 0xcc, DRI = 0xdd;
/** Start of frame: sequential, progressive or lossless; with Huffman coding, and the first two with arithmetic coding. */
const KNOWN_FRAMES = [0xc0, 0xc1, 0xc2, 0xc3, 0xc9, 0xca];
const EXIF_PREFIX = "Exif\0\0";
const XMP_PREFIX = "http://ns.adobe.com/xap/1.0/\0";
/**
 * Most pixels that all scans together may cover. A scan of 17 bytes covers the whole picture; encoders make about ten scans. That many
 * are always read, and of a small picture as many as take a fraction of a second.
 */
const MAX_SCANNED_PIXELS = 2 ** 31;
const USUAL_SCANS = 16;
/** How much longer arithmetic and lossless coding, and restarts within a scan, can take. */
const SLOWER = 8;
/** The cost of a scan besides its pixels, in pixels: the decoder makes tables for it. */
const PIXELS_OF_SCAN = 2 ** 13;

/**
 * Reads the markers. Damage in the picture itself is left to the codec.
 *
 * @throws IJepaError `image/corrupt`, `image/unsupported` for other than 1, 3 or 4 components of 8 bits, `image/too-complex`
 */
export function readJpegHeader(bytes: Uint8Array, source: string): JpegHeader {
  const exif: Uint8Array[] = [];
  let xmp: Uint8Array | undefined;
  let frame: Frame | undefined;
  const cut = () => corrupt(source, "JPEG", `it has no image data in its ${bytes.length} bytes`);
  for (let at = 2; ; ) {
    at = bytes.indexOf(0xff, at);
    if (at < 0) throw cut();
    while (bytes[at] === 0xff) at++;
    if (at >= bytes.length) throw cut();
    const marker = bytes[at++];
    if (marker === 0) continue;
    if (marker < 0xc0) throw corrupt(source, "JPEG", `marker ${hex(marker)} at byte ${at - 2} does not exist`);
    if (!hasSegment(marker)) continue;
    // A length below 2, which counts its own bytes, is read as 2.
    const end = at + 1 < bytes.length ? at + Math.max(2, (bytes[at] << 8) | bytes[at + 1]) : Infinity;
    if (end > bytes.length) throw corrupt(source, "JPEG", `the segment at byte ${at - 2} is not complete`);
    const segment = bytes.subarray(at + 2, end);
    if (marker === APP1 && startsWith(segment, EXIF_PREFIX)) exif.push(exif.length === 0 ? segment : segment.subarray(EXIF_PREFIX.length));
    else if (marker === APP1 && startsWith(segment, XMP_PREFIX)) xmp = segment.subarray(XMP_PREFIX.length);
    else if (isFrame(marker)) frame = readFrame(marker, segment, source);
    at = end;
    if (marker !== SOS) continue;
    if (frame === undefined) throw corrupt(source, "JPEG", "its image data comes before its frame header");
    const { width, height } = frame, { scans, restarts } = countScans(bytes);
    checkScans(scans, frame, frame.fast && !restarts ? 1 : SLOWER, source);
    return { width, height, scannedPixels: scans * frame.paddedPixels, exif: exif.length > 0 ? concatBytes(exif) : undefined, xmp };
  }
}

/** Restart markers, the start and end of the image, and reserved ones stand alone. */
function hasSegment(marker: number): boolean {
  return marker !== JPG && !(marker >= 0xd0 && marker <= EOI) && !(marker >= 0xf0 && marker <= 0xfd);
}

/** C0 to CF are frames, but for the Huffman tables (C4), an extension (C8) and arithmetic conditioning (CC). */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== DHT && marker !== JPG && marker !== DAC;
}

function readFrame(marker: number, segment: Uint8Array, source: string): Frame {
  if (segment.length < 6) throw corrupt(source, "JPEG", "its frame header is too short");
  const [bits, heightHigh, heightLow, widthHigh, widthLow, components] = segment;
  if (!KNOWN_FRAMES.includes(marker)) throw unsupported(source, "JPEG", `hierarchical JPEG (frame ${hex(marker)}) cannot be read`);
  if (bits !== 8) throw unsupported(source, "JPEG", `JPEG with ${bits} bits a sample cannot be read`);
  if (![1, 3, 4].includes(components)) throw unsupported(source, "JPEG", `JPEG with ${components} components cannot be read`);
  const width = (widthHigh << 8) | widthLow, height = (heightHigh << 8) | heightLow;
  const factors = Array.from({ length: components }, (_, i) => segment[7 + 3 * i] ?? 0x11);
  const padded = (side: number, factor: number) => Math.ceil(side / (8 * factor)) * 8 * factor;
  const across = Math.max(...factors.map((factor) => factor >> 4), 1), down = Math.max(...factors.map((factor) => factor & 15), 1);
  return { width, height, paddedPixels: padded(width, across) * padded(height, down), fast: marker < 0xc3 };
}

/** How many scans a file has, and whether it restarts within them. */
function countScans(bytes: Uint8Array): { scans: number; restarts: boolean } {
  let scans = 0, restarts = false;
  for (let at = 2; ; ) {
    at = bytes.indexOf(0xff, at);
    if (at < 0) return { scans, restarts };
    while (bytes[at] === 0xff) at++;
    const marker = bytes[at++];
    if (at >= bytes.length || marker === EOI || marker === SOI) return { scans, restarts };
    if (marker === SOS) scans++;
    if (marker === DRI) restarts = true;
    if (marker >= 0xc0 && hasSegment(marker)) at += Math.max(2, (bytes[at] << 8) | bytes[at + 1]);
  }
}

/** @throws IJepaError `image/too-complex` */
function checkScans(scans: number, { width, height, paddedPixels }: Frame, cost: number, source: string): void {
  if (scans <= USUAL_SCANS || scans * (paddedPixels + PIXELS_OF_SCAN) * cost <= MAX_SCANNED_PIXELS) return;
  const message = `${source} is a JPEG image of ${width} x ${height} pixels in ${scans} scans, too much work for one picture. Save it again.`;
  throw new IJepaError("image/too-complex", message, { source, kind: "JPEG", what: "scans", count: scans });
}

function hex(marker: number): string {
  return `FF${marker.toString(16).toUpperCase().padStart(2, "0")}`;
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return bytes.length >= text.length && [...text].every((char, i) => bytes[i] === char.charCodeAt(0));
}

const codec = new Codec<JpegExports>("jpeg-decoder");

/** The pixels, not turned. Throws CodecError. */
export function decodeJpeg(file: Uint8Array): Promise<DecodedImage> {
  return codec.run(file, (jpeg, address) => {
    const cut = () => new CodecError(`the data ends at byte ${file.length}, before the picture is complete`);
    if (jpeg.begin(address, file.length) === 0) throw cut();
    const width = jpeg.width(), height = jpeg.height();
    const data = new Uint8Array(width * height * 3);
    for (let filled = 0; filled < data.length; ) {
      const bytes = jpeg.read() * width * 3;
      if (bytes === 0) throw cut();
      data.set(bytesAt(jpeg, jpeg.pixels(), bytes), filled);
      filled += bytes;
    }
    const ended = jpeg.finish() !== 0;
    const warnings = jpeg.warnings() === 0 ? [] : [`the decoder says "${messageAt(jpeg, jpeg.warning(), jpeg.warning_parameters())}"`];
    if (!ended) warnings.push("it has no end marker");
    return { data, width, height, channels: 3, warnings };
  });
}
