/** From pixels to the bytes of a PNG file. */
import { concatBytes } from "../core/bytes.js";
import { crc32 } from "./crc32.js";
import { paeth } from "./png-format.js";
import { checkRawImage, type RawImage } from "./raw-image.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Colour type of a number of channels. */
const COLOUR_TYPES: Readonly<Record<number, number>> = { 1: 0, 2: 4, 3: 2, 4: 6 };
/** Each byte is stored as its difference to the best of three neighbours. */
const PAETH = 4;

/**
 * A PNG file of 8 bits a channel; the same bytes on every runtime.
 *
 * @param image 1 to 4 channels
 * @throws what `checkRawImage` throws
 */
export async function encodePng(image: RawImage): Promise<Uint8Array> {
  checkRawImage(image, "image");
  const { deflate } = await import("pako");
  const { width, height, channels } = image;
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOUR_TYPES[channels], 0, 0, 0], 8);
  return concatBytes([Uint8Array.from(SIGNATURE), chunk("IHDR", header), chunk("IDAT", deflate(filter(image))), chunk("IEND", new Uint8Array(0))]);
}

/** Every row with the number of its filter before it. */
function filter({ data, width, height, channels }: RawImage): Uint8Array {
  const row = width * channels, filtered = new Uint8Array(height * (row + 1));
  for (let y = 0, to = 0; y < height; y++) {
    filtered[to++] = PAETH;
    for (let x = 0, at = y * row; x < row; x++, at++) {
      const left = x < channels ? 0 : data[at - channels], up = y === 0 ? 0 : data[at - row];
      const corner = x < channels || y === 0 ? 0 : data[at - row - channels];
      filtered[to++] = data[at] - paeth(left, up, corner);
    }
  }
  return filtered;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12), view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}
