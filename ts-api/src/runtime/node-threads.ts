/** Worker threads of Node, Bun and Deno. */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Runtime } from "./env.js";

/** What the process was given for its own program, such as --input-type, is not for ours. */
const NO_FLAGS: string[] = [];

/** @param folder where the programs of the threads are */
export function nodeThreads(folder: string): Pick<Runtime, "startThread" | "startDecoder"> {
  return {
    startThread(data, ended) {
      const worker = new Worker(join(folder, "thread.js"), { workerData: data, execArgv: NO_FLAGS });
      let told = false;
      const terminate = async () => {
        told = true;
        await worker.terminate();
      };
      return new Promise((resolve, reject) => {
        const end = (why: string) => {
          reject(new Error(why));
          if (!told) ended(why);
        };
        worker.once("message", () => {
          worker.unref();
          resolve({ terminate });
        });
        worker.once("error", (error) => end(reason(error)));
        worker.once("exit", (code) => end(`it ended with code ${code}`));
      });
    },

    startDecoder(data, { message, ended }) {
      const worker = new Worker(join(folder, "decoder.js"), { workerData: data, execArgv: NO_FLAGS });
      let told = false;
      const end = (why: string) => {
        if (!told) ended(why);
        told = true;
      };
      worker.on("message", message);
      worker.once("error", (error) => end(reason(error)));
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
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
