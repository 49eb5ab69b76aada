/** numpy leaves room in the header for the first axis to grow to this many digits. */
const GROWTH_DIGITS = 21;

/**
 * A .npy file (format 1.0) of little-endian f32, byte for byte as `numpy.save` writes it.
 * @param dims the shape; its product is `data.length`
 */
export function serializeNpy(dims: readonly number[], data: Float32Array): Uint8Array {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(", ");
  const growth = dims.length === 0 ? "" : " ".repeat(GROWTH_DIGITS - String(dims[0]).length);
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }${growth}`;
  // magic 6, version 2, length 2, header, newline: padded to a multiple of 64, with a whole 64 where it fits already
  const unpadded = 10 + header.length + 1;
  const padded = header + " ".repeat(64 - (unpadded % 64)) + "\n";
  const start = 10 + padded.length;

  const file = new Uint8Array(start + data.byteLength);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(file.buffer).setUint16(8, padded.length, true);
  file.set(new TextEncoder().encode(padded), 10);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  return file;
}
