/** From a file of the Hub to its bytes in order, with several parts downloaded at once. */
import { onAbort } from "../../core/abort.js";
import type { HubClient, RemoteFile } from "./client.js";

/**
 * The bytes of a file from `begin` on. Pieces come in order, and may be written and hashed as they come. At most `partsAtOnce` parts are
 * in memory.
 * @throws IJepaError `hub/missing`, `hub/access`, `io/read`, `aborted`
 */
export async function* download(client: HubClient, file: RemoteFile, begin: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void> {
  const { partBytes, partsAtOnce } = client.pace;
  if (file.size - begin <= partBytes || !(await client.sendsRanges(file, signal))) {
    yield* client.bytes(file, begin, file.size, signal);
    return;
  }
  const parts: ReadAhead[] = [];
  let next = begin;
  try {
    do {
      for (; parts.length < partsAtOnce && next < file.size; next += partBytes) {
        const [from, to] = [next, Math.min(next + partBytes, file.size)];
        parts.push(new ReadAhead((own) => client.bytes(file, from, to, own), signal));
      }
      yield* parts[0].chunks();
      parts.shift();
    } while (parts.length > 0 || next < file.size);
  } finally {
    for (const part of parts) part.stop();
  }
}

/** Reads a source to its end in advance, and yields what it has read. */
class ReadAhead {
  readonly #chunks: Uint8Array[] = [];
  readonly #own = new AbortController();
  readonly #stopListening: () => void;
  #state: { ended: false } | { ended: true; error?: unknown } = { ended: false };
  #wake = (): void => {};

  constructor(
    open: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
    readonly user: AbortSignal | undefined,
  ) {
    const stop = (): void => this.#own.abort(user?.reason);
    this.#stopListening = onAbort(user, stop);
    if (user?.aborted) stop();
    void this.#read(open(this.#own.signal));
  }

  async *chunks(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (!this.#state.ended) await new Promise<void>((resolve) => (this.#wake = resolve));
      else if ("error" in this.#state) throw this.#state.error;
      else return;
    }
  }

  stop(): void {
    this.#own.abort();
  }

  async #read(source: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of source) {
        this.#chunks.push(chunk);
        this.#wake();
      }
      this.#state = { ended: true };
    } catch (error) {
      this.#state = { ended: true, error };
    }
    this.#stopListening();
    this.#wake();
  }
}
