/**
 * How an image must be turned to stand upright, from its EXIF or XMP metadata, and the turning itself.
 * Follows Pillow's `ImageOps.exif_transpose`: EXIF first, XMP only when EXIF says nothing.
 */
import type { RgbImage } from "./raw-image.js";

/** Metadata blocks of a file, where it has them. */
export interface OrientationMetadata {
  /** A TIFF structure, with or without "Exif\0\0" before it. */
  exif?: Uint8Array | undefined;
  /** XMP as text or bytes. */
  xmp?: Uint8Array | undefined;
}

const ORIENTATION_TAG = 0x0112;
const TIFF_MAGIC = 42;
const UPRIGHT = 1;
/** Bytes of the TIFF types that may hold the tag: SHORT and LONG. */
const TYPE_BYTES: Record<number, number> = { 3: 2, 4: 4 };

/** The EXIF orientation, 1 to 8; 1 when there is none or it cannot be read. */
export function readOrientation({ exif, xmp }: OrientationMetadata): number {
  const value = (exif && readExif(exif)) ?? (xmp && readXmp(xmp)) ?? UPRIGHT;
  return value >= 1 && value <= 8 ? value : UPRIGHT;
}

function readExif(bytes: Uint8Array): number | undefined {
  let start = 0;
  while (latin1(bytes.subarray(start, start + 6)) === "Exif\0\0") start += 6;
  const tiff = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
  if (tiff.byteLength < 8) return undefined;
  const byteOrder = latin1(bytes.subarray(start, start + 2));
  if (byteOrder !== "II" && byteOrder !== "MM") return undefined;
  const little = byteOrder === "II";
  if (tiff.getUint16(2, little) !== TIFF_MAGIC) return undefined;

  const directory = tiff.getUint32(4, little);
  if (directory + 2 > tiff.byteLength) return undefined;
  const entries = tiff.getUint16(directory, little);
  let orientation: number | undefined;
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * 12;
    if (entry + 12 > tiff.byteLength) break;
    const size = TYPE_BYTES[tiff.getUint16(entry + 2, little)];
    if (tiff.getUint16(entry, little) !== ORIENTATION_TAG || size === undefined) continue;
    const count = tiff.getUint32(entry + 4, little);
    if (count < 1 || count * size > 4) continue;
    orientation = size === 2 ? tiff.getUint16(entry + 8, little) : tiff.getUint32(entry + 8, little);
  }
  return orientation;
}

function readXmp(bytes: Uint8Array): number | undefined {
  const match = /tiff:Orientation(?:="|>)([0-9])/.exec(latin1(bytes));
  return match ? Number(match[1]) : undefined;
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** Turns `image` so that orientation `orientation` (1 to 8) becomes upright. */
export function applyOrientation(image: RgbImage, orientation: number): RgbImage {
  if (orientation === UPRIGHT) return image;
  const { data, width: w, height: h } = image;
  const turned = orientation >= 5;
  const width = turned ? h : w;
  const height = turned ? w : h;
  // Pixel (x, y) of the result is pixel `first + x * stepX + y * stepY` of the source.
  const last = w * h - 1;
  const [first, stepX, stepY] = {
    2: [w - 1, -1, w],
    3: [last, -1, -w],
    4: [last - (w - 1), 1, -w],
    5: [0, w, 1],
    6: [last - (w - 1), -w, 1],
    7: [last, -w, -1],
    8: [w - 1, w, -1],
  }[orientation] as [number, number, number];
  const out = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0, from = (first + y * stepY) * 3; x < width; x++, from += stepX * 3) {
      out[to++] = data[from];
      out[to++] = data[from + 1];
      out[to++] = data[from + 2];
    }
  }
  return { data: out, width, height, channels: 3 };
}
