/** Entry of a worker thread in Node. */
import { parentPort, workerData } from "node:worker_threads";
import { serveThread, type ThreadData } from "../backends/wasm/thread-team.js";

void serveThread(workerData as ThreadData, () => parentPort?.postMessage("ready"));
