/** Entry of a worker thread in browsers: the first message has its data. */
import { serveThread, type ThreadData } from "../backends/wasm/thread-team.js";

addEventListener("message", (event: MessageEvent<ThreadData>) => void serveThread(event.data, () => postMessage("ready")), { once: true });
