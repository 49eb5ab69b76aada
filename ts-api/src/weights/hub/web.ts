/**
 * Caches models of the Hub in hosts without a file system: in the Cache API, in parts that can be read one by one.
 *
 * If the host says that there is room (browsers do), a file is fetched whole and its digest is checked before a byte of it is used.
 * Otherwise its parts are fetched from the Hub as they are read, and cached if there is a Cache API (Workers): then only files of one
 * part have their digest checked.
 */
import { sha256 } from "../../core/numerics.js";
import type { ByteSource, Hasher } from "../../runtime/env.js";
import { bytesSource } from "../sources/bytes.js";
import type { HubClient, RemoteFile } from "./client.js";
import { startDigest } from "./digest.js";
import { resolveUrl } from "./names.js";
import { corrupt, type Cached, type Report, type Store } from "./store.js";
import { download } from "./transfer.js";

const CACHE_NAME = "ijepa-hub";

/** What the host has. */
export interface WebHost {
  readonly caches: CacheStorage | undefined;
  /** True if this many bytes can be kept permanently. */
  hasRoom(bytes: number): Promise<boolean>;
}

/** The record of a file; its parts are beside it. */
interface Entry {
  /** The model has no such file. */
  absent?: boolean;
  file?: RemoteFile;
  /** SHA-256 of each part, in order. */
  parts?: string[];
}

/** The host of this page or Worker. */
export const webHost: WebHost = {
  caches: (globalThis as { caches?: CacheStorage }).caches,
  async hasRoom(bytes) {
    const storage = (globalThis as { navigator?: { storage?: StorageManager } }).navigator?.storage;
    const { quota = 0, usage = 0 } = (await storage?.estimate?.()) ?? {};
    return quota - usage > bytes;
  },
};

export class WebStore implements Store {
  constructor(
    readonly host: WebHost,
    readonly client: HubClient,
  ) {}

  async commitOf(revision: string): Promise<string | undefined> {
    return (await this.#match(this.#refUrl(revision)))?.text();
  }

  async keepCommit(revision: string, commit: string): Promise<void> {
    await this.#put(this.#refUrl(revision), new TextEncoder().encode(commit));
  }

  async open(commit: string, name: string): Promise<Cached> {
    const entry = (await (await this.#match(this.#entryUrl(commit, name)))?.json()) as Entry | undefined;
    if (entry?.absent) return "absent";
    return entry?.file === undefined ? undefined : this.#source(entry.file, entry.parts);
  }

  async keepAbsence(commit: string, name: string): Promise<void> {
    await this.#keepEntry(commit, name, { absent: true });
  }

  async fetch(file: RemoteFile, report: Report, signal: AbortSignal | undefined): Promise<ByteSource> {
    if (file.size <= this.client.pace.partBytes) {
      const blocks: Uint8Array[] = [];
      const parts = await this.#fetchChecked(file, async (index, block) => void (blocks[index] = block), report, signal);
      await Promise.all(blocks.map((block, i) => this.#put(partUrl(file, i), block)));
      await this.#keepEntry(file.commit, file.name, { file, parts });
      return bytesSource(file.url, ...blocks);
    }
    if (this.host.caches === undefined || !(await this.host.hasRoom(file.size))) return this.#source(file, undefined);
    const parts = await this.#fetchChecked(file, (index, block) => this.#put(partUrl(file, index), block), report, signal);
    await this.#keepEntry(file.commit, file.name, { file, parts });
    return this.#source(file, parts);
  }

  /** Yields a whole file in blocks of the size of a part; after a wrong digest it starts again. Returns the digests of the blocks. */
  async #fetchChecked(file: RemoteFile, take: (index: number, block: Uint8Array) => Promise<void>, report: Report, signal: AbortSignal | undefined): Promise<string[]> {
    const { digest } = file;
    for (let attempt = 1; ; attempt++) {
      const hash: Hasher | undefined = digest === undefined ? undefined : await startDigest(digest.kind, file.size);
      const parts: string[] = [];
      let block = new Uint8Array(this.#partLength(file, 0)), filled = 0, loaded = 0;
      for await (const chunk of download(this.client, file, 0, signal)) {
        hash?.update(chunk);
        for (let rest = chunk; rest.length > 0; ) {
          const piece = rest.subarray(0, block.length - filled);
          block.set(piece, filled);
          filled += piece.length;
          rest = rest.subarray(piece.length);
          if (filled < block.length) continue;
          parts.push(await sha256(block));
          await take(parts.length - 1, block);
          block = new Uint8Array(this.#partLength(file, parts.length));
          filled = 0;
        }
        loaded += chunk.length;
        report(loaded);
      }
      const actual = hash?.hex();
      if (actual === digest?.hex) return parts;
      await Promise.all(parts.map((_, index) => this.#remove(partUrl(file, index))));
      if (attempt === 2) throw corrupt(file, actual);
    }
  }

  /** @param parts digests of the parts, if the whole file was checked */
  #source(file: RemoteFile, parts: readonly string[] | undefined): ByteSource {
    const { partBytes } = this.client.pace;
    let last: { index: number; bytes: Promise<Uint8Array> } | undefined;
    const partOf = (index: number, signal?: AbortSignal): Promise<Uint8Array> => {
      if (last?.index === index) return last.bytes;
      const own = { index, bytes: this.#part(file, index, parts?.[index], signal) };
      last = own;
      own.bytes.catch(() => {
        if (last === own) last = undefined;
      });
      return own.bytes;
    };
    return {
      name: file.url,
      size: file.size,
      async read(offset, length, signal, bytes = new Uint8Array(length)) {
        for (let done = 0; done < length; ) {
          const at = offset + done, index = Math.floor(at / partBytes);
          const piece = (await partOf(index, signal)).subarray(at - index * partBytes).subarray(0, length - done);
          bytes.set(piece, done);
          done += piece.length;
        }
        return bytes;
      },
      async close() {
        last = undefined;
      },
    };
  }

  /** A part from the cache, or from the Hub if the cache does not have it. */
  async #part(file: RemoteFile, index: number, digest: string | undefined, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const url = partUrl(file, index), begin = index * this.client.pace.partBytes;
    const bytes = new Uint8Array(this.#partLength(file, index));
    const kept = await (await this.#match(url))?.arrayBuffer();
    if (kept?.byteLength === bytes.length) return new Uint8Array(kept);
    for (let attempt = 1; ; attempt++) {
      let filled = 0;
      for await (const chunk of this.client.bytes(file, begin, begin + bytes.length, signal)) {
        bytes.set(chunk, filled);
        filled += chunk.length;
      }
      const actual = digest === undefined ? undefined : await sha256(bytes);
      if (actual === digest) {
        await this.#put(url, bytes);
        return bytes;
      }
      if (attempt === 2) throw corrupt({ ...file, digest: { kind: "sha256", hex: digest! } }, actual);
    }
  }

  /** Bytes of a part: the last one is short, and after it there is nothing. */
  #partLength({ size }: RemoteFile, index: number): number {
    const { partBytes } = this.client.pace;
    return Math.max(0, Math.min(partBytes, size - index * partBytes));
  }

  #refUrl(revision: string): string {
    const { repo, settings } = this.client;
    return `${settings.endpoint}/${repo}/ijepa-ref/${encodeURIComponent(revision)}`;
  }

  #entryUrl(commit: string, name: string): string {
    const { repo, settings } = this.client;
    return `${resolveUrl(settings.endpoint, repo, commit, name)}?ijepa=entry`;
  }

  async #keepEntry(commit: string, name: string, entry: Entry): Promise<void> {
    await this.#put(this.#entryUrl(commit, name), new TextEncoder().encode(JSON.stringify(entry)));
  }

  async #match(url: string): Promise<Response | undefined> {
    return (await this.host.caches?.open(CACHE_NAME))?.match(url);
  }

  /** A full or forbidden cache keeps nothing; missing parts are fetched again when they are read. */
  async #put(url: string, bytes: Uint8Array): Promise<void> {
    try {
      const cache = await this.host.caches?.open(CACHE_NAME);
      // Workers cache only responses with a lifetime.
      await cache?.put(url, new Response(bytes as BodyInit, { headers: { "cache-control": "max-age=31536000", "content-length": String(bytes.length) } }));
    } catch {
      return;
    }
  }

  async #remove(url: string): Promise<void> {
    await (await this.host.caches?.open(CACHE_NAME))?.delete(url);
  }
}

function partUrl(file: RemoteFile, index: number): string {
  return `${file.url}?ijepa=${encodeURIComponent(file.etag)}&part=${index}`;
}
