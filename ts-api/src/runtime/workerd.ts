/**
 * The runtime of Cloudflare Workers and others built on workerd. Modules are part of the program, because nothing may be compiled at run
 * time.
 */
import relaxed from "../wasm/kernels-relaxed.wasm";
import simd128 from "../wasm/kernels-simd128.wasm";
import { IJepaError } from "../core/errors.js";
import type { Runtime, WasmModuleName } from "./env.js";
import { missingModule, wasmModules } from "./modules.js";
import { noFiles } from "./no-files.js";

const NO_THREADS = "Workers have no threads";

/** Few programs use codecs, so they are instantiated at the first image. */
const MODULES: Partial<Record<WasmModuleName, () => Promise<WebAssembly.Module>>> = {
  "kernels-simd128": async () => simd128,
  "kernels-relaxed": async () => relaxed,
  scanner: async () => (await import("../wasm/scanner.wasm")).default,
  quantizer: async () => (await import("../wasm/quantizer.wasm")).default,
  resizer: async () => (await import("../wasm/resizer.wasm")).default,
  "jpeg-decoder": async () => (await import("../wasm/jpeg-decoder.wasm")).default,
  "webp-decoder": async () => (await import("../wasm/webp-decoder.wasm")).default,
};

export const runtime: Runtime = {
  name: "workerd",
  wasmModule: wasmModules(async (name) => {
    const load = MODULES[name];
    if (load === undefined) throw missingModule(name, NO_THREADS);
    return load().catch((cause: unknown) => {
      throw missingModule(name, String(cause), cause);
    });
  }),
  get defaultModel(): string {
    const message = "A Worker carries no model. Pass the URL of a folder with config.json and model.safetensors, and `fetch` to read it with.";
    throw new IJepaError("input/missing", message, { name: "model" });
  },
  ...noFiles("Workers"),
  cores: 1,
  noThreads: NO_THREADS,
  startThread: () => Promise.reject(new Error(NO_THREADS)),
  yieldToHost: () => new Promise((resolve) => setTimeout(resolve, 0)),
};
