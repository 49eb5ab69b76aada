/**
 * What the library needs from the runtime that hosts it. One file per runtime implements it; `#runtime` in
 * package.json picks the file. Nothing else in ts-api names `process`, `Deno`, `Bun` or `node:` modules.
 */

/** The WebAssembly modules the library uses: its own kernels and the image codecs. */
export type WasmModuleName = KernelModuleName | "jpeg-decoder" | "webp-decoder";

/** Shared modules import a shared memory, for several threads; an instance's memory is of one kind or the other. */
export type KernelModuleName = `kernels-${"simd128" | "relaxed"}${"" | "-shared"}`;

/** A worker of the host, running. */
export interface Thread {
  terminate(): Promise<void>;
}

/** A file or other resource that can be read in ranges. */
export interface ByteSource {
  /** Human name for messages: a path or URL. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /** Reads `length` bytes at `offset`; both are inside the source. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface Runtime {
  /** Name and version, such as "node 24.1.0". */
  readonly name: string;
  /** Modules arrive compiled: some runtimes refuse to compile at run time. Rejects where the engine cannot take the module. */
  wasmModule(name: WasmModuleName): Promise<WebAssembly.Module>;
  /** Folder or URL of the model that the package carries. */
  readonly defaultModel: string;
  /** Opens a local file for ranged reads. Rejects with IJepaError `io/read`. */
  openFile(path: string): Promise<ByteSource>;
  /** Writes a file under a temporary name beside it, then renames it. Rejects with IJepaError `io/write`; leaves nothing half-written. */
  writeFile(path: string, bytes: Uint8Array): Promise<void>;
  /** Processors that threads may use. */
  readonly cores: number;
  /** Starts a worker on backends/wasm/crew.ts `serveThread`; resolves when it is ready. It does not keep the host alive. */
  startThread(data: unknown): Promise<Thread>;
  /** Lets timers and abort signals of the host run; resolves as soon as they have. */
  yieldToHost(): Promise<void>;
}
