/** From the bytes of an image file to RGB pixels, as Pillow's `ImageOps.exif_transpose(Image.open(...)).convert("RGB")`. */
import { IJepaError } from "../core/errors.js";
import { HEAD_BYTES, describeWrongFile } from "../weights/wrong-file.js";
import { CodecError } from "./codec.js";
import { corrupt, unsupported } from "./image-error.js";
import { decodeJpeg, readJpegHeader } from "./jpeg.js";
import { applyOrientation, readOrientation, type OrientationMetadata } from "./orientation.js";
import { DEFAULT_MAX_PIXELS, type DecodedImage } from "./raw-image.js";
import { openResizer } from "./resizer.js";
import { decodeWebp, readWebpHeader } from "./webp.js";

export { DEFAULT_MAX_PIXELS, type DecodedImage, type RawImage, type RgbImage } from "./raw-image.js";

/** The name of an unnamed image in messages. */
export const DEFAULT_SOURCE = "the image";

export interface DecodeOptions {
  /** The image's name in messages: a path or URL. */
  source?: string;
  /** Most pixels (width times height) that are decoded; `Infinity` for no limit. Default `DEFAULT_MAX_PIXELS`. */
  maxPixels?: number;
  /** Refuse damaged files with `image/corrupt` even if they can be read. Default false: they are read, and the result has `warnings`. */
  strict?: boolean;
}

/** A file whose header was read; its pixels are decoded later. */
interface OpenedImage extends OrientationMetadata {
  width: number;
  height: number;
  pixels(): Promise<DecodedImage>;
}

interface Kind {
  name: string;
  matches(bytes: Uint8Array): boolean;
  open(bytes: Uint8Array, source: string): Promise<OpenedImage>;
}

const KINDS: readonly Kind[] = [
  { name: "JPEG", matches: (bytes) => hasBytes(bytes, 0, "\xff\xd8\xff"), open: openJpeg },
  { name: "PNG", matches: (bytes) => hasBytes(bytes, 0, "\x89PNG\r\n\x1a\n"), open: openPng },
  { name: "WebP", matches: (bytes) => hasBytes(bytes, 0, "RIFF") && hasBytes(bytes, 8, "WEBP"), open: openWebp },
];

/** Kinds that are recognised only to name them in messages: name, byte offset, signature. */
const REFUSED: readonly (readonly [string, number, string])[] = [
  ["GIF", 0, "GIF8"],
  ["BMP", 0, "BM"],
  ["TIFF", 0, "II*\0"],
  ["TIFF", 0, "MM\0*"],
  ["AVIF", 4, "ftypavif"],
  ["AVIF", 4, "ftypavis"],
  ["HEIC", 4, "ftyphei"],
  ["HEIC", 4, "ftyphev"],
  ["HEIF", 4, "ftypmif1"],
  ["HEIF", 4, "ftypmsf1"],
  ["JPEG XL", 0, "\xff\x0a"],
  ["JPEG XL", 4, "JXL \r\n\x87\n"],
  ["JPEG 2000", 4, "jP  \r\n\x87\n"],
];

/**
 * Decodes a JPEG, PNG or WebP file. The first bytes tell the kind, never the name. The image is turned upright by its EXIF or XMP
 * orientation; alpha is dropped, not blended; grey and palettes are expanded; the first frame of an animation is taken; colour profiles
 * are not applied. Damaged files that Pillow reads give the same pixels as Pillow.
 *
 * @param bytes the whole file
 * @returns the same bytes of RGB on every runtime
 * @throws IJepaError `image/empty`, `image/unsupported`, `image/corrupt`, `image/too-large`, `image/too-complex`
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<DecodedImage> {
  if (!(bytes instanceof Uint8Array)) throw new TypeError("decodeImage needs the bytes of an image file as a Uint8Array.");
  const { source = DEFAULT_SOURCE, maxPixels = DEFAULT_MAX_PIXELS, strict = false } = options;
  if (!(maxPixels > 0)) {
    const message = `maxPixels must be a number above 0, not ${String(maxPixels)}.`;
    throw new IJepaError("input/value", message, { name: "maxPixels", value: maxPixels });
  }
  if (bytes.length === 0) throw new IJepaError("image/empty", `${source} has no bytes.`, { source });
  const kind = KINDS.find(({ matches }) => matches(bytes));
  if (kind === undefined) throw refuse(bytes, source);

  let size: { width: number; height: number } | undefined;
  try {
    const [image] = await Promise.all([kind.open(bytes, source), openResizer()]);
    const { width, height } = (size = image);
    if (width === 0 || height === 0) {
      throw new IJepaError("image/empty", `${source} is a ${kind.name} image of ${width} x ${height}: it has no pixels.`, { source });
    }
    if (width * height > maxPixels) {
      const message = `${source} has ${width} x ${height} pixels, over the limit of ${maxPixels}. Scale it down, or raise maxPixels.`;
      throw new IJepaError("image/too-large", message, { source, width, height, maxPixels });
    }
    const { warnings, ...decoded } = await image.pixels();
    if (strict && warnings.length > 0) throw corrupt(source, kind.name, warnings.join("; "));
    return { ...applyOrientation(decoded, readOrientation(image)), warnings };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    if (!error.outOfMemory) throw corrupt(source, kind.name, `the decoder says "${error.message}"`, error);
    const { width, height } = size ?? { width: 0, height: 0 };
    const pixels = size === undefined ? `${bytes.length} bytes` : `${width} x ${height} pixels`;
    const message = `${source} has ${pixels}, more than the ${kind.name} decoder has memory for. Scale it down.`;
    throw new IJepaError("image/too-large", message, { source, width, height, maxPixels }, { cause: error });
  }
}

/** Whether a file that begins with these bytes is of a kind that `decodeImage` reads. */
export function isImage(head: Uint8Array): boolean {
  return KINDS.some(({ matches }) => matches(head));
}

function refuse(bytes: Uint8Array, source: string): IJepaError {
  const known = REFUSED.find(([, offset, signature]) => hasBytes(bytes, offset, signature))?.[0] ?? (isSvg(bytes) ? "SVG" : undefined);
  return known === undefined ? notAnImage(bytes, source) : unsupported(source, known, `${known} is not supported`);
}

function isSvg(bytes: Uint8Array): boolean {
  return /^\s*<(svg|(\?xml|!--|!doctype svg)[^]*<svg)/i.test(new TextDecoder().decode(bytes.subarray(0, HEAD_BYTES)));
}

/** Data sets come with pointers of Git LFS, and downloads with pages, where pictures should be. */
function notAnImage(bytes: Uint8Array, source: string): IJepaError {
  const what = describeWrongFile(bytes) ?? "its first bytes are those of no known kind", message = `${source} is not an image: ${what}. Give a PNG, JPEG or WebP file.`;
  return new IJepaError("image/unsupported", message, { source });
}

function hasBytes(bytes: Uint8Array, offset: number, signature: string): boolean {
  if (bytes.length < offset + signature.length) return false;
  for (let i = 0; i < signature.length; i++) {
    if (bytes[offset + i] !== signature.charCodeAt(i)) return false;
  }
  return true;
}

async function openJpeg(bytes: Uint8Array, source: string): Promise<OpenedImage> {
  return { ...readJpegHeader(bytes, source), pixels: () => decodeJpeg(bytes) };
}

async function openPng(bytes: Uint8Array, source: string): Promise<OpenedImage> {
  const { decodePng, readPngHeader } = await import("./png.js"), header = await readPngHeader(bytes, source);
  return { ...header, pixels: () => decodePng(header, source) };
}

async function openWebp(bytes: Uint8Array, source: string): Promise<OpenedImage> {
  return { ...(await readWebpHeader(bytes, source)), pixels: () => decodeWebp(bytes) };
}
