/** Our packed int4, as MatMulNBits takes it. */
import { bytesView } from "../../ts-api/src/backends/backend.js";
import { fromBits } from "../../ts-api/src/core/float.js";
import { BLOCK, PANEL } from "../../ts-api/src/core/numerics.js";
import type { LinearWeights } from "../../ts-api/src/packing/encoder-weights.js";
import type { PackedBuffer } from "../../ts-api/src/packing/pack.js";

export interface BlockedMatrix {
  /** [cols][inner / 32][16], the lower input in the low nibble. */
  codes: Uint8Array;
  /** [cols][inner / 32]. */
  scales: Float32Array;
  /** [cols]. */
  bias: Float32Array;
}

/** Columns first ... first + cols - 1 of a packed matrix with groups of 32. */
export function blockedColumns({ inner, w, scales, bias }: LinearWeights<PackedBuffer>, first: number, cols: number): BlockedMatrix {
  const blocks = inner / BLOCK, bits = words(scales!.bytes, Uint16Array), codes = new Uint8Array((cols * inner) / 2);
  const values = new Float32Array(cols * blocks);
  for (let c = 0; c < cols; c++) {
    const panel = Math.floor((first + c) / PANEL), place = (first + c) % PANEL, shift = place >= 4 ? 4 : 0;
    for (let block = 0; block < blocks; block++) values[c * blocks + block] = fromBits(bits[(panel * blocks + block) * PANEL + place] << 16);
    for (let k = 0; k < inner; k++) {
      const code = (w.bytes[((panel * inner) / 4 + (k >> 2)) * 16 + (place % 4) * 4 + (k & 3)] >> shift) & 15;
      codes[(c * inner + k) >> 1] |= code << (k % 2 === 0 ? 0 : 4);
    }
  }
  return { codes, scales: values, bias: words(bias.bytes, Float32Array).slice(first, first + cols) };
}

function words<T>(bytes: Uint8Array, type: new (buffer: ArrayBuffer) => T): T {
  return new type(bytesView(bytes).slice().buffer);
}
