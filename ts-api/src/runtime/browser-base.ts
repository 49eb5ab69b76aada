/** The common part of the runtimes of pages and of their workers. */
import { IJepaError } from "../core/errors.js";
import { whereToLook } from "./build-tool.js";
import type { Runtime } from "./env.js";
import { fetchModule, packageModule, wasmModules } from "./modules.js";
import { noFiles } from "./no-files.js";
import { opfsStorage } from "./opfs-storage.js";
import { demoModel } from "./package-files.js";

/** The name of a browser in its user agent, which names several. */
const BROWSERS = [/(Firefox)\/(\d+)/, /(Edg)\/(\d+)/, /(Chrome)\/(\d+)/, /Version\/(\d+)\S* .*(Safari)/];

export const browser: Omit<Runtime, "cores" | "noThreads" | "startThread"> = {
  name: hostName(),
  wasmModule: wasmModules((name) => packageModule(name, fetchModule, (bytes) => WebAssembly.compile(bytes))),
  get defaultModel() {
    const model = demoModel();
    if (model?.startsWith("http") === true) return model;
    const message = `A bundle does not include the package's model. Pass the URL of a folder with config.json and model.safetensors. ${whereToLook()}`;
    throw new IJepaError("input/missing", message, { name: "model" });
  },
  ...noFiles("Browsers"),
  openStorage: opfsStorage,
  get pageUrl() {
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    return base === undefined || /^(about|blob|data):/.test(base) ? undefined : base;
  },
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

function hostName(): string {
  const agent = typeof navigator === "undefined" ? "" : (navigator.userAgent ?? "");
  const words = BROWSERS.map((pattern) => pattern.exec(agent)?.slice(1)).find((found) => found !== undefined);
  return words === undefined ? "browser" : words.sort((a, b) => Number(/\d/.test(a)) - Number(/\d/.test(b))).join(" ").toLowerCase();
}
