/** Worker threads of Node, Bun and Deno. */
import { Worker } from "node:worker_threads";
import { messageOf } from "../core/show.js";
import { whereToLook } from "./build-tool.js";
import type { Runtime, Thread } from "./env.js";

/** Options that the process got for its own program, such as --input-type, do not apply to ours. */
const NO_FLAGS: string[] = [];
/** A decoder leaves little behind but pixels. Where young objects get no more room, fewer megabytes of dead arrays wait for a collection. */
const DECODER_LIMITS = { maxYoungGenerationSizeMb: 6 };

export const nodeThreads: Pick<Runtime, "startThread" | "startDecoder"> = {
  async startThread(data, ended) {
    const options = { workerData: data, execArgv: NO_FLAGS };
    try {
      return await start(() => new Worker(new URL("../../../../dist/thread.cjs", import.meta.url), options), ended);
    } catch (failure) {
      // A bundle lacks the file of the program, and has its copy instead.
      const copy = await import("#embedded/node-thread").catch(() => undefined);
      const refusal = new Error(`${messageOf(failure)}. ${whereToLook().replace(/\.$/, "")}`, { cause: failure });
      if (copy?.default === undefined) throw refusal;
      return start(() => new Worker(copy.default, { ...options, eval: true }), ended).catch(() => Promise.reject(refusal));
    }
  },

  startDecoder(data, { message, ended }) {
    const worker = new Worker(new URL("../../../../dist/decoder.js", import.meta.url), { workerData: data, execArgv: NO_FLAGS, resourceLimits: DECODER_LIMITS });
    let told = false;
    const end = (why: string) => {
      if (!told) ended(why);
      told = true;
    };
    worker.on("message", message);
    worker.once("error", (error) => end(messageOf(error)));
    worker.once("exit", (code) => end(`it ended with code ${code}`));
    return {
      post: (request, transfer) => worker.postMessage(request, transfer),
      keepAlive: (yes) => (yes ? worker.ref() : worker.unref()),
      async terminate() {
        told = true;
        await worker.terminate();
      },
    };
  },
};

/** Starts a worker; resolves when it is ready. */
function start(make: () => Worker, ended: (reason: string) => void): Promise<Thread> {
  return new Promise((resolve, reject) => {
    const worker = make();
    let told = false, ready = false;
    const terminate = async () => {
      told = true;
      await worker.terminate();
    };
    const end = (why: string) => {
      reject(new Error(why));
      if (ready && !told) ended(why);
    };
    worker.once("message", () => {
      ready = true;
      worker.unref();
      resolve({ terminate });
    });
    worker.once("error", (error) => end(messageOf(error)));
    worker.once("exit", (code) => end(`it ended with code ${code}`));
  });
}
