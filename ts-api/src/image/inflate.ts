/** Inflates zlib data up to a bound, in the pieces in which Pillow does. */

/** Bytes that Pillow gives zlib at a time. */
const PIECE_BYTES = 64 * 1024;
const NO_FLUSH = 0, STREAM_END = 1, BUF_ERROR = -5;

export interface Inflated {
  /** As many bytes as requested, or fewer if the data ends early. */
  bytes: Uint8Array;
  /** True when the stream ended, in the same piece of input as its last byte. */
  ended: boolean;
  /** The part in which the last byte came. */
  part: number;
}

/**
 * Inflates a zlib stream that may be split into parts, and stops after `maxBytes`, even if the stream continues. Data that ends too early
 * gives the bytes so far.
 *
 * @throws Error when the data is not a zlib stream, or is damaged
 */
export async function inflate(parts: readonly Uint8Array[], maxBytes: number): Promise<Inflated> {
  const { ZStream, zlibInflate, zlibInflateInit } = await import("pako");
  const stream = new ZStream();
  zlibInflateInit(stream);
  stream.output = new Uint8Array(maxBytes);
  stream.avail_out = maxBytes;
  const result = (ended: boolean, part: number): Inflated => ({ bytes: stream.output.subarray(0, stream.next_out), ended, part });
  for (const [index, part] of parts.entries()) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) {
      const before = stream.next_out;
      stream.input = part.subarray(at, at + PIECE_BYTES);
      stream.next_in = 0;
      stream.avail_in = stream.input.length;
      const status: number = zlibInflate(stream, NO_FLUSH);
      if (status === STREAM_END) return result(stream.next_out > before, index);
      if (status !== 0 && status !== BUF_ERROR) throw new Error(`The zlib stream is damaged: ${stream.msg || `status ${status}`}.`);
      if (stream.avail_out === 0) return result(false, index);
    }
  }
  return result(false, parts.length - 1);
}
