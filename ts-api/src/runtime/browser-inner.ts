/** Inside a thread of a browser: it starts none itself, and bundlers find no program that names itself. */
import { browser } from "./browser-base.js";
import type { Runtime } from "./env.js";

const NO_THREADS = "a thread starts no others";

export const runtime: Runtime = Object.assign(browser, {
  cores: 1,
  noThreads: NO_THREADS,
  startThread: () => Promise.reject(new Error(NO_THREADS)),
});
