/** The part of a runtime that has no file system and no environment variables. */
import { IJepaError } from "../core/errors.js";
import type { Runtime } from "./env.js";

/** @param host the runtime's name in messages: "Browsers", "Workers" */
export function noFiles(host: string): Pick<Runtime, "openFile" | "writeFile" | "env" | "fetch"> {
  return {
    async openFile(path) {
      throw new IJepaError("io/read", `Cannot read ${path}: ${host} have no files. Pass a URL with its scheme, or the bytes.`, { path });
    },
    async writeFile(path) {
      throw new IJepaError("io/write", `Cannot write ${path}: ${host} have no files. Keep the bytes, or send them somewhere.`, { path });
    },
    env: () => undefined,
    fetch: (input, init) => globalThis.fetch(input, init),
  };
}
