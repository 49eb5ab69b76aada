/** Browsers, on the main thread and in workers; and what other runtimes share with them. */
import type { MessageThread, Runtime, ThreadEvents, WasmModuleName } from "./env.js";
import { fetchModule, wasmModules } from "./modules.js";
import { noFiles } from "./no-files.js";

/** Written out one by one: bundlers find files by this form, and by no other. */
const MODULE_URLS: Record<WasmModuleName, () => URL> = {
  "kernels-simd128": () => new URL("../wasm/kernels-simd128.wasm", import.meta.url),
  "kernels-simd128-shared": () => new URL("../wasm/kernels-simd128-shared.wasm", import.meta.url),
  "kernels-relaxed": () => new URL("../wasm/kernels-relaxed.wasm", import.meta.url),
  "kernels-relaxed-shared": () => new URL("../wasm/kernels-relaxed-shared.wasm", import.meta.url),
  quantizer: () => new URL("../wasm/quantizer.wasm", import.meta.url),
  resizer: () => new URL("../wasm/resizer.wasm", import.meta.url),
  "jpeg-decoder": () => new URL("../wasm/jpeg-decoder.wasm", import.meta.url),
  "webp-decoder": () => new URL("../wasm/webp-decoder.wasm", import.meta.url),
};
/** Served beside the code where the package is; bundlers leave it behind, and their pages name a model. */
const DEMO_MODEL = "../../models/demo";
/** The name of a browser in its user agent, which names several. */
const BROWSERS = [/(Firefox)\/(\d+)/, /(Edg)\/(\d+)/, /(Chrome)\/(\d+)/, /Version\/(\d+)\S* .*(Safari)/];

const noThreads = reasonAgainstThreads();

export const runtime: Runtime = {
  name: hostName(),
  wasmModule: wasmModules((name) => fetchModule(MODULE_URLS[name]())),
  get defaultModel() {
    return new URL(DEMO_MODEL, import.meta.url).href;
  },
  ...noFiles("Browsers"),
  cores: noThreads === undefined ? navigator.hardwareConcurrency : 1,
  noThreads,

  startThread(data, ended) {
    const worker = new Worker(new URL("./thread.js", import.meta.url), { type: "module" });
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => {
        const reason = event.message || "its program cannot be loaded";
        reject(new Error(reason));
        ended(reason);
      };
      worker.onmessage = () => resolve({ terminate: async () => worker.terminate() });
      worker.postMessage(data);
    });
  },

  ...(typeof Worker === "undefined" ? {} : { startDecoder }),

  // Timers of zero length wait for milliseconds when they are nested; messages do not.
  yieldToHost: () =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(undefined);
    }),
};

/** Its program is a module, so a page needs no headers for it. */
function startDecoder(data: unknown, { message, ended }: ThreadEvents): MessageThread {
  const worker = new Worker(new URL("./decoder.js", import.meta.url), { type: "module" });
  worker.onmessage = (event) => message(event.data);
  worker.onerror = (event) => ended(event.message || "its program cannot be loaded");
  worker.postMessage(data);
  return {
    post: (request, transfer) => worker.postMessage(request, { transfer: [...transfer] }),
    keepAlive: () => undefined,
    terminate: async () => worker.terminate(),
  };
}

function reasonAgainstThreads(): string | undefined {
  if (typeof Worker === "undefined") return "this runtime has no workers";
  if (globalThis.crossOriginIsolated !== true) return "the page is not cross-origin isolated";
  // WebKit isolates pages also where it keeps shared memory from them.
  if (typeof SharedArrayBuffer === "undefined") return "this browser gives pages no SharedArrayBuffer";
  return undefined;
}

function hostName(): string {
  const agent = typeof navigator === "undefined" ? "" : (navigator.userAgent ?? "");
  const words = BROWSERS.map((pattern) => pattern.exec(agent)?.slice(1)).find((found) => found !== undefined);
  return words === undefined ? "browser" : words.sort((a, b) => Number(/\d/.test(a)) - Number(/\d/.test(b))).join(" ").toLowerCase();
}
