/** From a shape to the header of a .npy file. */

/** numpy leaves room in the header for the first axis to grow to this many digits. */
const GROWTH_DIGITS = 21;

/** The header of a .npy file of little-endian f32, byte for byte as `numpy.save` writes it. */
export function npyHeader(dims: readonly number[]): Uint8Array {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(", ");
  const growth = dims.length === 0 ? "" : " ".repeat(GROWTH_DIGITS - String(dims[0]).length);
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }${growth}`;
  // magic 6, version 2, length 2, header, newline: padded to a multiple of 64, with a whole 64 where it fits already
  const unpadded = 10 + header.length + 1;
  const padded = header + " ".repeat(64 - (unpadded % 64)) + "\n";
  const start = new Uint8Array(10 + padded.length);
  start.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(start.buffer).setUint16(8, padded.length, true);
  start.set(new TextEncoder().encode(padded), 10);
  return start;
}

/**
 * A .npy file (format 1.0) of little-endian f32, byte for byte as `numpy.save` writes it.
 * @param dims the shape; its product is `data.length`
 */
export function serializeNpy(dims: readonly number[], data: Float32Array): Uint8Array {
  const header = npyHeader(dims), file = new Uint8Array(header.length + data.byteLength);
  file.set(header);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return file;
}
