/** Bytes given to the inflater at a time. DEFLATE makes at most `MAX_DEFLATE_RATIO` bytes of one, so this bounds its memory. */
const SLICE_BYTES = 16 * 1024;
export const MAX_DEFLATE_RATIO = 1032;
/** Given, so that gzip is not taken for zlib. */
const ZLIB_WINDOW_BITS = 15;
/** The inflater makes one array for each so many bytes of output, and none else: engines leave dead arrays lying for long. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Inflates a zlib stream that may be cut into parts, and stops after `maxBytes`, whatever the stream would still give.
 *
 * @returns the first `maxBytes` bytes, or fewer where the stream ends earlier
 * @throws Error when the data is no zlib stream or ends too early
 */
export async function inflate(parts: readonly Uint8Array[], maxBytes: number): Promise<Uint8Array> {
  const { Inflate } = await import("pako");
  const out = new Uint8Array(maxBytes);
  let filled = 0;
  const inflater = new Inflate({ chunkSize: CHUNK_BYTES, windowBits: ZLIB_WINDOW_BITS });
  inflater.onData = (chunk) => {
    const room = chunk.subarray(0, maxBytes - filled);
    out.set(room, filled);
    filled += room.length;
  };
  for (const part of parts) {
    for (let at = 0; at < part.length; at += SLICE_BYTES) {
      inflater.push(part.subarray(at, at + SLICE_BYTES));
      if (filled === maxBytes) return out;
    }
  }
  // Nothing more comes: what the inflater still holds.
  inflater.push(new Uint8Array(0), true);
  if (inflater.err !== 0 && filled < maxBytes) throw new Error(`The zlib stream is damaged: ${inflater.msg}.`);
  return out.subarray(0, filled);
}
