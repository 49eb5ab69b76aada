/** Bytes given to the inflater at a time. DEFLATE makes at most `MAX_DEFLATE_RATIO` bytes of one, so this bounds its memory. */
const SLICE_BYTES = 16 * 1024;
export const MAX_DEFLATE_RATIO = 1032;
const CHECKSUM_BYTES = 4;

/**
 * Inflates a zlib stream that may be cut into parts, and stops after `maxBytes`, whatever the stream would still give.
 *
 * @returns the first `maxBytes` bytes, or fewer where the stream ends earlier
 * @throws Error when the data is no zlib stream or ends too early
 */
export async function inflate(parts: readonly Uint8Array[], maxBytes: number): Promise<Uint8Array> {
  const { Unzlib } = await import("fflate");
  const out = new Uint8Array(maxBytes);
  let filled = 0;
  const inflater = new Unzlib((chunk) => {
    const room = chunk.subarray(0, maxBytes - filled);
    out.set(room, filled);
    filled += room.length;
  });
  for (const part of parts) {
    for (let at = 0; at < part.length; at += SLICE_BYTES) {
      inflater.push(part.subarray(at, at + SLICE_BYTES));
      if (filled === maxBytes) return out;
    }
  }
  // fflate takes the last bytes of the last push for the checksum; with these it also ends a stream that has none.
  inflater.push(new Uint8Array(CHECKSUM_BYTES), true);
  return out.subarray(0, filled);
}
