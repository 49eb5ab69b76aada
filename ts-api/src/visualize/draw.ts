/** From a map and its photo to a picture, in integers only: the same pixels on every runtime. */
import { IJepaError } from "../core/errors.js";
import { readOptions, type OptionNames } from "../core/options.js";
import { checkRawImage, toRgb, type RawImage, type RgbImage } from "../image/raw-image.js";
import { RESAMPLE, resize } from "../image/resize.js";
import { tokenOf, type Patch } from "./maps.js";

/** Options of `drawMap`. */
export interface DrawOptions {
  /** Opacity of the map, 0 to 1; the rest is the photo in grey. Default 0.6. */
  opacity?: number;
  /** Longest side of the result in pixels; smaller photos keep their size. Default 1024. */
  maxSide?: number;
  /** Longest side of the result in pixels, even if the photo is smaller; replaces `maxSide`. */
  side?: number | undefined;
  /** A patch to be framed. */
  patch?: Patch | undefined;
}

const NAMES: OptionNames<DrawOptions> = { opacity: "number", maxSide: "number", side: "number", patch: true };
/** Viridis at nine places, evenly spaced; between them colours are mixed. */
const VIRIDIS = ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"].map((hex) => parseInt(hex, 16));
const WHITE = 255;
/** Longest side that a picture may be stretched to. */
const MAX_SIDE = 16384;
/** Thickness of a frame, in parts of the shorter side. */
const FRAME = 200;

/**
 * Draws a map over the photo that it is of, stretched to its size and smoothed. Grey maps are coloured, from violet (least) to
 * yellow (greatest).
 *
 * @param photo as `loadImage` gives it
 * @param map as `pcaMap`, `similarityMap` and `attentionMap` give it
 * @throws IJepaError `input/value` for invalid options
 */
export function drawMap(photo: RawImage, map: RawImage, options: DrawOptions = {}): RgbImage {
  const { opacity = 0.6, maxSide = 1024, side, patch } = readOptions(options, NAMES, "drawMap");
  checkRawImage(photo, "photo");
  checkRawImage(map, "map");
  if (!(opacity >= 0 && opacity <= 1)) throw new IJepaError("input/value", `opacity must be from 0 to 1, not ${opacity}.`, { name: "opacity", value: opacity });
  checkSide("maxSide", maxSide, Infinity);
  if (side !== undefined) checkSide("side", side, MAX_SIDE);
  const base = fitted(toRgb(photo), side ?? Math.min(maxSide, Math.max(photo.width, photo.height))), { width, height } = base;
  const smooth = coloured(resize(map, width, height, RESAMPLE.bilinear));
  const share = Math.round(opacity * 256), data = new Uint8Array(width * height * 3);
  for (let from = 0; from < data.length; from += 3) {
    // Rec. 601's luma in 8 bits.
    const grey = (77 * base.data[from] + 150 * base.data[from + 1] + 29 * base.data[from + 2] + 128) >> 8;
    for (let c = 0; c < 3; c++) data[from + c] = (smooth.data[from + c] * share + grey * (256 - share) + 128) >> 8;
  }
  const picture: RgbImage = { data, width, height, channels: 3 };
  if (patch !== undefined) frame(picture, patch, map.width, map.height);
  return picture;
}

/** A grey image in the colours of viridis; others as they are. */
export function coloured(image: RawImage): RgbImage {
  if (image.channels !== 1) return toRgb(image);
  const palette = Array.from({ length: 256 }, (_, value) => viridis(value));
  const data = new Uint8Array(image.data.length * 3);
  image.data.forEach((value, i) => data.set(palette[value], i * 3));
  return { data, width: image.width, height: image.height, channels: 3 };
}

function viridis(value: number): number[] {
  const position = value * (VIRIDIS.length - 1), index = Math.min(VIRIDIS.length - 2, Math.floor(position / 255)), part = position - index * 255;
  return [16, 8, 0].map((shift) => {
    const below = (VIRIDIS[index] >> shift) & 255, above = (VIRIDIS[index + 1] >> shift) & 255;
    return Math.floor((below * (255 - part) + above * part + 127) / 255);
  });
}

/** The photo with its longest side as given. */
function fitted(photo: RgbImage, longest: number): RawImage {
  const { width, height } = photo, now = Math.max(width, height);
  if (now === longest) return photo;
  const side = (length: number) => Math.max(1, Math.round((length * longest) / now));
  return resize(photo, side(width), side(height), RESAMPLE.bicubic);
}

function checkSide(name: string, side: number, most: number): void {
  if (Number.isInteger(side) && side >= 1 && side <= most) return;
  throw new IJepaError("input/value", `${name} must be a whole number from 1 ${most === Infinity ? "up" : `to ${most}`}, not ${side}.`, { name, value: side });
}

/** A white frame inside the patch's edges. */
function frame({ data, width, height }: RgbImage, patch: Patch, columns: number, rows: number): void {
  tokenOf(patch, columns, rows);
  const [column, row] = patch, edge = (index: number, count: number, length: number) => Math.floor((index * length) / count);
  const left = edge(column, columns, width), right = edge(column + 1, columns, width);
  const top = edge(row, rows, height), bottom = edge(row + 1, rows, height);
  const thick = Math.max(1, Math.round(Math.min(width, height) / FRAME));
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const inside = x >= left + thick && x < right - thick && y >= top + thick && y < bottom - thick;
      if (!inside) data.fill(WHITE, (y * width + x) * 3, (y * width + x) * 3 + 3);
    }
  }
}
