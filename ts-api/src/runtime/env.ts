/**
 * The interface of the runtime that hosts the library. One file per runtime implements it; the build resolves `#runtime` to it. Nothing
 * else in ts-api names `process`, `Deno`, `Bun` or `node:` modules.
 */
import type { ByteSource } from "./byte-source.js";
import type { FolderStorage } from "./storage.js";

export type { ByteSource } from "./byte-source.js";

/**
 * The WebAssembly modules the library uses: its own kernels, the quantizer, the scanner, the resizer and the image codecs, each a file of
 * dist/wasm. Shared ones import a shared memory, for several threads; an instance's memory is of one kind or the other.
 */
export const WASM_MODULES = [
  "kernels-simd128", "kernels-simd128-shared", "kernels-relaxed", "kernels-relaxed-shared", "quantizer", "scanner", "resizer", "jpeg-decoder", "webp-decoder",
] as const;
/** Name of a file of dist/wasm, without its ending. */
export type WasmModuleName = (typeof WASM_MODULES)[number];
export type KernelModuleName = Extract<WasmModuleName, `kernels-${string}`>;

/** A worker of the host, running. */
export interface Thread {
  terminate(): Promise<void>;
}

/** A worker of the host that receives messages and answers them. */
export interface MessageThread {
  /** @param transfer buffers of the message that are transferred */
  post(message: unknown, transfer: readonly ArrayBuffer[]): void;
  /** Whether it keeps the host alive; at first it does. */
  keepAlive(yes: boolean): void;
  /** Ends it, whatever it is doing. */
  terminate(): Promise<void>;
}

/** What a MessageThread tells. */
export interface ThreadEvents {
  message(message: unknown): void;
  /** Called with the reason when it ends by itself. */
  ended(reason: string): void;
}

/** A digest under way. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** The digest in lower-case hex. Call it once, at the end. */
  hex(): string;
}

export interface FileInfo {
  readonly kind: "file" | "folder" | "other";
  /** In bytes. */
  readonly size: number;
  /** When it was last written, in milliseconds since 1970. */
  readonly modified: number;
}

/** A new file, written from its start to its end. */
export interface FileWriter {
  write(bytes: Uint8Array): Promise<void>;
  /** Waits until the bytes are on the disk, then closes. */
  finish(): Promise<void>;
  /** Closes without waiting; harmless after `finish`. */
  close(): Promise<void>;
}

/**
 * A file system that can be written. Paths have "/" between their parts on every system. Failures reject with the host's own error, which
 * the caller explains.
 */
export interface Files {
  /** The user's home folder. */
  readonly home: string;
  /** Symbolic links are followed; undefined if nothing is there. */
  stat(path: string): Promise<FileInfo | undefined>;
  /** Names in a folder; empty if there is no folder. */
  list(folder: string): Promise<string[]>;
  /** The absolute path without symbolic links; undefined if nothing is there. */
  realPath(path: string): Promise<string | undefined>;
  /** Makes a folder and those above it. */
  makeFolder(path: string): Promise<void>;
  /** Makes a file that was not there before, and its folder. */
  create(path: string): Promise<FileWriter>;
  /**
   * Makes `path` a relative symbolic link to the file `target`, or a copy if links cannot be made; replaces an existing file atomically.
   */
  link(target: string, path: string): Promise<void>;
  /** Replaces an existing file atomically. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, if it exists. */
  remove(path: string): Promise<void>;
  /** Removes a folder and its contents, if it exists. */
  removeFolder(path: string): Promise<void>;
}

/** A file of a new folder. Its methods reject with IJepaError `io/write`. */
export interface FolderFile {
  /** Writes at an offset; gaps are zero. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Everything is on disk when it resolves. */
  close(): Promise<void>;
}

/** A new folder, filled under another name. Its methods reject with IJepaError `io/write`. */
export interface FolderWriter {
  /** Its final name, for messages. */
  readonly name: string;
  /** `name` is a plain file name. */
  createFile(name: string): Promise<FolderFile>;
  /** Gives the folder its final name, once all files are closed. */
  commit(): Promise<void>;
  /** Removes the written files, and closes open ones. */
  discard(): Promise<void>;
}

export interface Runtime {
  /** Name and version, such as "node 24.1.0". */
  readonly name: string;
  /**
   * Modules arrive compiled: some runtimes refuse to compile at run time. Rejects with WebAssembly.CompileError where the engine cannot
   * take the module, with IJepaError `io/read` if it cannot be read.
   */
  wasmModule(name: WasmModuleName): Promise<WebAssembly.Module>;
  /**
   * A kernel module whose pairs of vectors are compiled to one of 256 bits; absent if the engine cannot do it. Rejects as `wasmModule`.
   */
  revectorizedModule?: ((name: KernelModuleName) => Promise<WebAssembly.Module>) | undefined;
  /** The base of relative URLs, in hosts with pages and without files; undefined elsewhere. */
  readonly pageUrl?: string | undefined;
  /** Folder or URL of the package's model. Throws IJepaError `input/missing` in hosts without it. */
  readonly defaultModel: string;
  /** Opens a local file for ranged reads. Rejects with IJepaError `io/read`, also in hosts without files. */
  openFile(path: string): Promise<ByteSource>;
  /**
   * Writes a file, from bytes or from chunks as they come, under a temporary name beside it, then renames it. Rejects with IJepaError
   * `io/write`, also in hosts without files, and with what `content` throws; leaves nothing half-written.
   *
   * @param options `makeFolder`: make the folder of the file, and those above it, if they do not exist
   */
  writeFile(path: string, content: Uint8Array | AsyncIterable<Uint8Array>, options?: { makeFolder?: boolean }): Promise<void>;
  /**
   * Makes a folder under a temporary name beside `path`, in hosts with files. Rejects with IJepaError `io/write`, also if `path` is a
   * folder that is not empty.
   */
  createFolder?(path: string): Promise<FolderWriter>;
  /** The file system, if the host has one: the Hub's cache is kept there. */
  readonly files?: Files;
  /** A folder for a collection, in hosts with files; it need not exist. */
  openStorage?(path: string): FolderStorage;
  /** An environment variable; undefined if it is not set, or the host has none. */
  env(name: string): string | undefined;
  /** The current global `fetch`; through the user's proxy, if the host supports it. */
  readonly fetch: typeof globalThis.fetch;
  /** If the environment names a proxy that `fetch` ignores: a sentence that says so, and what to do. */
  readonly unheededProxy?: string | undefined;
  /** Digests by the host itself, if it can hash piece by piece. */
  createHash?(algorithm: "sha1" | "sha256"): Hasher;
  /** Processors that threads may use. */
  readonly cores: number;
  /** Name of the machine in its network, if the host tells it. */
  readonly machine?: string | undefined;
  /** The reason why there are no threads here; undefined if there are. */
  readonly noThreads: string | undefined;
  /**
   * Starts a worker on backends/wasm/thread-team.ts `serveThread`; resolves when it is ready. It does not keep the host alive.
   *
   * @param ended called with the reason when the worker ends by itself
   */
  startThread(data: unknown, ended: (reason: string) => void): Promise<Thread>;
  /** Starts a worker on decoding/messages.ts `serveDecoding`, if the host has workers. */
  startDecoder?(data: unknown, events: ThreadEvents): MessageThread;
  /** Lets timers and abort signals of the host run; resolves as soon as they have. */
  yieldToHost(): Promise<void>;
}
