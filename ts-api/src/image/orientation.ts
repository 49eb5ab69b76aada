/**
 * From EXIF or XMP metadata to the orientation of an image, and from the image to an upright one. Follows Pillow's
 * `ImageOps.exif_transpose`: EXIF first, XMP only when EXIF says nothing.
 */
import type { RgbImage } from "./raw-image.js";

/** Metadata blocks of a file, if it has them. */
export interface OrientationMetadata {
  /** A TIFF structure, with or without "Exif\0\0" before it. */
  exif?: Uint8Array | undefined;
  /** XMP as text or bytes. */
  xmp?: Uint8Array | undefined;
}

const ORIENTATION_TAG = 0x0112;
const UPRIGHT = 1;
/** "Exif", and two zeros. */
const EXIF_PREFIX = [0x45, 0x78, 0x69, 0x66, 0, 0];
/** The headers of TIFF, those of writers that got the byte order of the number 42 wrong, and of BigTIFF the one that Pillow reads as TIFF. */
const LITTLE = ["II*\0", "II\0*"], BIG = ["MM\0*", "MM*\0", "MM\0+"];

interface TiffType {
  bytes: number;
  /** Present if the type is a number. */
  read?(view: DataView, at: number, little: boolean): number;
}

/** BYTE, ASCII and UNDEFINED hold no numbers for Pillow. */
const TYPES: Record<number, TiffType> = {
  1: { bytes: 1 },
  2: { bytes: 1 },
  3: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  4: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  5: { bytes: 8, read: (view, at, little) => view.getUint32(at, little) / view.getUint32(at + 4, little) },
  6: { bytes: 1, read: (view, at) => view.getInt8(at) },
  7: { bytes: 1 },
  8: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  9: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  10: { bytes: 8, read: (view, at, little) => view.getInt32(at, little) / view.getInt32(at + 4, little) },
  11: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  12: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
  13: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  16: { bytes: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
};

/** The EXIF orientation, 1 to 8; 1 when there is none or it cannot be read. */
export function readOrientation({ exif, xmp }: OrientationMetadata): number {
  const value = (exif && readExif(exif)) ?? (xmp && readXmp(xmp)) ?? UPRIGHT;
  return Number.isInteger(value) && value >= 1 && value <= 8 ? value : UPRIGHT;
}

/**
 * The value of the last entry with the tag, the first of several numbers. Entries after one that points outside the block do not count.
 */
function readExif(bytes: Uint8Array): number | undefined {
  let start = 0;
  while (EXIF_PREFIX.every((byte, i) => bytes[start + i] === byte)) start += EXIF_PREFIX.length;
  const tiff = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
  const header = latin1(bytes.subarray(start, start + 4)), little = LITTLE.includes(header);
  if (tiff.byteLength < 8 || (!little && !BIG.includes(header))) return undefined;

  const directory = tiff.getUint32(4, little);
  if (directory + 2 > tiff.byteLength) return undefined;
  const entries = tiff.getUint16(directory, little);
  let orientation: number | undefined;
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * 12;
    if (entry + 12 > tiff.byteLength) break;
    const type = TYPES[tiff.getUint16(entry + 2, little)] as TiffType | undefined;
    if (type === undefined) continue;
    const size = tiff.getUint32(entry + 4, little) * type.bytes;
    const at = size > 4 ? tiff.getUint32(entry + 8, little) : entry + 8;
    if (at + size > tiff.byteLength) break;
    if (size > 0 && tiff.getUint16(entry, little) === ORIENTATION_TAG) orientation = type.read?.(tiff, at, little) ?? UPRIGHT;
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
