/** The runtime of browsers, on the main thread and in workers. */
import { browser } from "./browser-base.js";
import { missingProgram } from "./build-tool.js";
import type { MessageThread, Runtime, Thread, ThreadEvents } from "./env.js";

const noThreads = reasonAgainstThreads();

export const runtime: Runtime = Object.assign(browser, {
  cores: noThreads === undefined ? navigator.hardwareConcurrency : 1,
  noThreads,

  async startThread(data: unknown, ended: (reason: string) => void): Promise<Thread> {
    try {
      return await start(() => new Worker(new URL("./thread.js", import.meta.url), { type: "module" }), data, ended);
    } catch (failure) {
      // Bundlers that do not know this form do not copy the program, and workers cannot be started from other origins.
      return startCopy(data, ended).catch(() => Promise.reject(failure as Error));
    }
  },

  ...(typeof Worker === "undefined" ? {} : { startDecoder }),
});

/** Its program is a module, so a page needs no headers for it. */
function startDecoder(data: unknown, { message, ended }: ThreadEvents): MessageThread {
  const worker = new Worker(new URL("./decoder.js", import.meta.url), { type: "module" });
  worker.onmessage = (event) => message(event.data);
  worker.onerror = (event) => ended(event.message || missingProgram("decoder.js"));
  worker.postMessage(data);
  return {
    post: (request, transfer) => worker.postMessage(request, { transfer: [...transfer] }),
    keepAlive: () => undefined,
    terminate: async () => worker.terminate(),
  };
}

/** Starts a worker and sends it its data; resolves when it is ready. */
function start(make: () => Worker, data: unknown, ended: (reason: string) => void): Promise<Thread> {
  return new Promise((resolve, reject) => {
    const worker = make();
    let ready = false;
    worker.onerror = (event) => {
      event.preventDefault();
      const reason = event.message || missingProgram("thread.js");
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
  // WebKit may isolate a page and still refuse it shared memory.
  if (typeof SharedArrayBuffer === "undefined") return "this browser gives pages no SharedArrayBuffer";
  return undefined;
}
