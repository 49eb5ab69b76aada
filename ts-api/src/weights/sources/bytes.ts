/** Bytes in memory as a file that is read in ranges; and reading a range of any such file. */
import { IJepaError, throwIfAborted } from "../../core/errors.js";
import { messageOf } from "../../core/show.js";
import type { ByteSource } from "../../runtime/env.js";

/** A source over bytes in memory, given in one piece or in several that follow each other; kept, not copied. */
export function bytesSource(name: string, ...chunks: Uint8Array[]): ByteSource {
  const starts: number[] = [];
  let size = 0;
  for (const chunk of chunks) {
    starts.push(size);
    size += chunk.length;
  }
  return {
    name,
    size,
    async read(offset, length, _signal, bytes = new Uint8Array(length)) {
      let index = lastAtOrBefore(starts, offset);
      for (let done = 0; done < length; index++) {
        const part = chunks[index].subarray(offset + done - starts[index]).subarray(0, length - done);
        bytes.set(part, done);
        done += part.length;
      }
      return bytes;
    },
    close: async () => undefined,
  };
}

/**
 * Reads a range of a source, and checks what the source returns.
 * @param into memory that the source may use for it: see ByteSource
 * @throws IJepaError `io/read` when the range is not inside the source or cannot be read, `aborted`
 */
export async function readRange(source: ByteSource, offset: number, length: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array> {
  const during = `reading ${source.name}`;
  throwIfAborted(signal, during);
  if (offset < 0 || length < 0 || offset + length > source.size) {
    const message = `Cannot read bytes ${offset} to ${offset + length} of ${source.name}: it has ${source.size}.`;
    throw new IJepaError("io/read", message, { path: source.name });
  }
  let bytes: Uint8Array;
  try {
    bytes = await source.read(offset, length, signal, into);
  } catch (cause) {
    throwIfAborted(signal, during);
    if (cause instanceof IJepaError) throw cause;
    const reason = messageOf(cause);
    throw new IJepaError("io/read", `Cannot read ${source.name} at byte ${offset}: ${reason}.`, { path: source.name }, { cause });
  }
  throwIfAborted(signal, during);
  if (bytes.length !== length) {
    const message = `Reading ${source.name} at byte ${offset} gave ${bytes.length} bytes instead of ${length}.`;
    throw new IJepaError("io/read", message, { path: source.name });
  }
  return bytes;
}

function lastAtOrBefore(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
