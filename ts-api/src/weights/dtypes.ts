/** Element types of stored weights, and their conversion to f32. */
import { IJepaError } from "../core/errors.js";

/**
 * Element types of the safetensors format and their bits, in the format's own order (by growing alignment), which also
 * decides the order of tensors in a file.
 */
export const DTYPE_BITS = {
  BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8,
  I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, F64: 64, I64: 64, U64: 64,
} as const;

export type SafetensorsDtype = keyof typeof DTYPE_BITS;

/** Element types that weights can be read from. */
export const FLOAT_DTYPES = ["F32", "F16", "BF16", "F64"] as const;

export function isSafetensorsDtype(name: unknown): name is SafetensorsDtype {
  return typeof name === "string" && Object.hasOwn(DTYPE_BITS, name);
}

/** True for element types that weights can be read from. */
export function isFloatDtype(dtype: string): boolean {
  return FLOAT_DTYPES.some((float) => float === dtype);
}

/** Throws `weights/dtype` unless `toFloat32` can read `dtype`. */
export function checkFloatDtype(dtype: string, tensor: string): void {
  if (!isFloatDtype(dtype)) {
    const known = FLOAT_DTYPES.join(", ");
    const message = `Tensor ${tensor} is stored as ${dtype}; weights can be read from ${known}. Save the checkpoint in one of these.`;
    throw new IJepaError("weights/dtype", message, { tensor, dtype });
  }
}

/**
 * Little-endian floating-point numbers as f32. F32, F16 and BF16 are exact, bits of NaN included; F64 is rounded to nearest,
 * ties to even. The result of F32 shares memory with `bytes` where its alignment allows.
 * @param tensor its name, for messages
 * @throws IJepaError `weights/dtype` for another type, `weights/format` when the bytes are not a whole number of elements
 */
export function toFloat32(bytes: Uint8Array, dtype: string, tensor = "(unnamed)"): Float32Array {
  checkFloatDtype(dtype, tensor);
  const size = DTYPE_BITS[dtype as (typeof FLOAT_DTYPES)[number]] / 8;
  if (bytes.length % size !== 0) {
    const message = `Tensor ${tensor}: ${bytes.length} bytes are not a whole number of ${dtype} elements.`;
    throw new IJepaError("weights/format", message, { file: tensor });
  }
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const count = bytes.length / size;
  switch (dtype) {
    case "F16": return widenF16(new Uint16Array(buffer, byteOffset, count));
    case "BF16": return widenBF16(new Uint16Array(buffer, byteOffset, count));
    case "F64": return Float32Array.from(new Float64Array(buffer, byteOffset, count));
    default: return new Float32Array(buffer, byteOffset, count);
  }
}

/** Index of the first NaN or infinity; -1 if there is none. */
export function firstNonFinite(data: Float32Array): number {
  for (let i = 0; i < data.length; i++) {
    // x - x is 0 for every finite x, NaN otherwise.
    if (data[i] - data[i] !== 0) return i;
  }
  return -1;
}

/** bf16 is the upper half of f32. */
function widenBF16(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
  return new Float32Array(words.buffer);
}

/** f16: 1 sign bit, 5 exponent bits (bias 15), 10 bits of fraction. */
function widenF16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const sign = (half & 0x8000) << 16;
    const exponent = half & 0x7c00;
    const fraction = half & 0x03ff;
    if (exponent === 0) values[i] = (sign === 0 ? fraction : -fraction) * 2 ** -24;
    else if (exponent === 0x7c00) words[i] = sign | 0x7f800000 | (fraction << 13);
    else words[i] = sign | (((exponent | fraction) << 13) + ((127 - 15) << 23));
  }
  return values;
}
