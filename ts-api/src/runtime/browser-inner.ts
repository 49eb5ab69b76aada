/** The runtime inside a thread of a browser. It starts no threads itself, so that bundlers find no program that refers to itself. */
import { browser } from "./browser-base.js";
import type { Runtime } from "./env.js";

const NO_THREADS = "a thread starts no others";

export const runtime: Runtime = Object.assign(browser, {
  cores: 1,
  noThreads: NO_THREADS,
  startThread: () => Promise.reject(new Error(NO_THREADS)),
});
