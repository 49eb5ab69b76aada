/** From packed matrices back to values, for measuring. */
import { CODEBOOKS, isCodebook } from "../ts-api/src/core/codebooks.js";
import { fromBits, roundBf16 } from "../ts-api/src/core/float.js";
import { BLOCK, isInteger, PANEL } from "../ts-api/src/core/numerics.js";
import type { Matrix, PackedBuffer } from "../ts-api/src/packing/pack.js";

/** The weights that a backend computes with: f32 in the panels' order, [panels][inner][8] (docs/weights-format.md). */
export function unpackMatrix({ format, inner, group = BLOCK, w, scales }: Matrix<PackedBuffer>): Float32Array {
  if (format === "fp32") return new Float32Array(aligned(w));
  if (format === "bf16") return Float32Array.from(new Uint16Array(aligned(w)), (half) => fromBits(half << 16));
  const [panels] = w.dims, groups = Math.ceil(inner / group), width = format === "int8" ? 32 : 16, codes = w.bytes;
  const scale = isCodebook(format) ? new Float32Array(aligned(scales!)) : Float32Array.from(new Uint16Array(aligned(scales!)), (half) => fromBits(half << 16));
  const value = isCodebook(format) ? (code: number, s: number) => roundBf16(Math.fround(CODEBOOKS[format][code] * s)) : (code: number, s: number) => code * s;
  const codeAt = format === "int8"
    ? (at: number, place: number) => (codes[at + place * 4] << 24) >> 24
    : (at: number, place: number) => nibble(codes[at + (place % 4) * 4], place) - (isInteger(format) ? 8 : 0);
  const values = new Float32Array(panels * inner * PANEL);
  let at = 0;
  for (let panel = 0; panel < panels; panel++) {
    for (let k = 0; k < inner; k++) {
      const bytes = ((panel * inner) / 4 + (k >> 2)) * width + (k & 3), row = (panel * groups + Math.floor(k / group)) * PANEL;
      for (let place = 0; place < PANEL; place++) values[at++] = value(codeAt(bytes, place), scale[row + place]);
    }
  }
  return values;
}

/** Columns 0 ... 3 are low, 4 ... 7 high. */
function nibble(byte: number, place: number): number {
  return place >= 4 ? byte >> 4 : byte & 15;
}

/** A copy of the bytes at an address that wider elements can be read from. */
function aligned({ bytes }: PackedBuffer): ArrayBuffer {
  return bytes.slice().buffer;
}
