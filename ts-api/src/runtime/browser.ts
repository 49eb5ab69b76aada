/** Browsers, on the main thread and in workers; and what other runtimes share with them. */
import { IJepaError } from "../core/errors.js";
import { whereToLook } from "./build-tool.js";
import type { MessageThread, Runtime, Thread, ThreadEvents } from "./env.js";
import { fetchModule, packageModule, wasmModules } from "./modules.js";
import { noFiles } from "./no-files.js";
import { opfsStorage } from "./opfs-storage.js";
import { demoModel } from "./package-files.js";

/** The name of a browser in its user agent, which names several. */
const BROWSERS = [/(Firefox)\/(\d+)/, /(Edg)\/(\d+)/, /(Chrome)\/(\d+)/, /Version\/(\d+)\S* .*(Safari)/];

const noThreads = reasonAgainstThreads();

export const runtime: Runtime = {
  name: hostName(),
  wasmModule: wasmModules((name) => packageModule(name, fetchModule, (bytes) => WebAssembly.compile(bytes))),
  get defaultModel() {
    const model = demoModel();
    if (model?.startsWith("http") === true) return model;
    const message = `Bundles leave the model of the package behind. Pass the URL of a folder with config.json and model.safetensors. ${whereToLook()}`;
    throw new IJepaError("input/missing", message, { name: "model" });
  },
  ...noFiles("Browsers"),
  openStorage: opfsStorage,
  get pageUrl() {
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    return base === undefined || /^(about|blob|data):/.test(base) ? undefined : base;
  },
  cores: noThreads === undefined ? navigator.hardwareConcurrency : 1,
  noThreads,

  async startThread(data, ended) {
    try {
      return await start(() => new Worker(new URL("./thread.js", import.meta.url), { type: "module" }), data, ended);
    } catch (failure) {
      // Bundlers that do not know this form leave the program behind, and other origins may not be started from.
      return startCopy(data, ended).catch(() => Promise.reject(failure as Error));
    }
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

/** Starts a worker, and gives it what to work on; resolves when it is ready. */
function start(make: () => Worker, data: unknown, ended: (reason: string) => void): Promise<Thread> {
  return new Promise((resolve, reject) => {
    const worker = make();
    let ready = false;
    worker.onerror = (event) => {
      event.preventDefault();
      const reason = event.message || "its program cannot be loaded";
      if (ready) return ended(reason);
      worker.terminate();
      reject(new Error(reason));
    };
    worker.onmessage = () => {
      ready = true;
      resolve({ terminate: async () => worker.terminate() });
    };
    worker.postMessage(data);
  });
}

/** Starts the copy of the thread's program that is part of the code. */
async function startCopy(data: unknown, ended: (reason: string) => void): Promise<Thread> {
  const { default: program } = await import("#embedded/browser-thread");
  const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  try {
    return await start(() => new Worker(url), data, ended);
  } finally {
    URL.revokeObjectURL(url);
  }
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
