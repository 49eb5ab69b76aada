/** The runtime of Node, Bun and Deno: files, compiled modules, threads, the model of the package. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { availableParallelism, hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { IJepaError } from "../core/errors.js";
import { messageOf, shorten } from "../core/show.js";
import { whereToLook } from "./build-tool.js";
import type { ByteSource, Runtime, WasmModuleName } from "./env.js";
import { checkedModule, missingModule, packageModule, wasmModules } from "./modules.js";
import { files, mkdir } from "./node-files.js";
import { createFolder } from "./node-folder.js";
import { nodeStorage } from "./node-storage.js";
import { replaceFile } from "./replace-file.js";
import { nodeThreads } from "./node-threads.js";
import { demoModel } from "./package-files.js";
import { fetch, unheededProxy } from "./proxy.js";
import { revectorizer } from "./revectorize.js";

/** Longest path of any system, and how much of one is shown. */
const MAX_PATH = 4096;
const MAX_SHOWN = 200;

export const runtime: Runtime = {
  name: hostName(),
  get defaultModel() {
    const model = demoModel();
    if (model?.startsWith("file:") === true) return wholeDemoModel(fileURLToPath(model)) ?? fileURLToPath(model);
    const message = `A bundle does not include the package's model. Pass a folder with config.json and model.safetensors. ${whereToLook()}`;
    throw new IJepaError("input/missing", message, { name: "model" });
  },

  wasmModule: wasmModules(async (name) => WebAssembly.compile(await moduleBytes(name))),
  revectorizedModule: revectorizer(moduleBytes),

  async openFile(path): Promise<ByteSource> {
    try {
      checkLength(path);
      const kind = await stat(path);
      if (!kind.isFile()) throw new Error(kind.isDirectory() ? "it is a folder" : "it is not a regular file");
      const handle = await open(path, "r");
      const { size } = await handle.stat();
      return {
        name: path,
        size,
        async read(offset, length, _signal, bytes = new Uint8Array(length)) {
          for (let done = 0; done < length; ) {
            const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
            if (bytesRead === 0) throw new IJepaError("io/read", `${path} ended at byte ${offset + done}; it was cut while being read.`, { path });
            done += bytesRead;
          }
          return bytes;
        },
        close: () => handle.close(),
      };
    } catch (cause) {
      if (cause instanceof IJepaError) throw cause;
      const name = shorten(path, MAX_SHOWN);
      throw new IJepaError("io/read", `Cannot read ${name}: ${messageOf(cause)}. Check the path and its permissions.`, { path: name }, { cause });
    }
  },

  async writeFile(path, content, { makeFolder = false } = {}) {
    const name = shorten(path, MAX_SHOWN);
    try {
      checkLength(path);
      if (makeFolder) await mkdir(dirname(path));
      await replaceFile(path, content);
    } catch (cause) {
      if (cause instanceof IJepaError) throw cause;
      throw new IJepaError("io/write", `Cannot write ${name}: ${messageOf(cause)}. Check that the folder exists and may be written.`, { path: name }, { cause });
    }
  },

  createFolder,
  openStorage: (path) => nodeStorage(path, (file) => runtime.openFile(file)),
  files,
  env(name) {
    try {
      return process.env[name];
    } catch {
      // Deno lacks the permission: the variable counts as not set.
      return undefined;
    }
  },
  fetch,
  get unheededProxy() {
    return unheededProxy();
  },

  createHash(algorithm) {
    const hash = createHash(algorithm);
    return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
  },

  get machine() {
    return hostname();
  },
  get cores() {
    return availableParallelism();
  },

  noThreads: undefined,

  ...nodeThreads,

  yieldToHost: () => new Promise((resolve) => setImmediate(resolve)),
};

function moduleBytes(name: WasmModuleName): Promise<Uint8Array<ArrayBuffer>> {
  return packageModule(name, readModule, (bytes) => bytes);
}

async function readModule(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const where = url.protocol === "file:" ? fileURLToPath(url) : url;
  const bytes = await readFile(url).catch((cause: unknown) => {
    throw missingModule(where, messageOf(cause), cause);
  });
  return checkedModule(where, bytes);
}

/** The system's message would repeat the whole path. */
function checkLength(path: string): void {
  if (path.length > MAX_PATH) throw new Error(`it has ${path.length} characters, too many for a path`);
}

/** Has the demo model in f32, where the package has it in bf16 (docs/decisions/0032-the-demo-model-in-bf16.md). */
const DEMO_PACKAGE = "ijepa-demo";

/** The folder of the package with the whole demo model, if it is installed beside this package, or for the program above it. */
function wholeDemoModel(model: string): string | undefined {
  for (let folder = dirname(model), last = model; folder !== last; last = folder, folder = dirname(folder)) {
    const found = [folder, "node_modules", DEMO_PACKAGE].join("/");
    if (hasFile(`${found}/config.json`)) return found;
  }
  return undefined;
}

/** A separate function, because tools that trace files take a partly known path for a pattern. */
function hasFile(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    // Deno was not given the permission to look.
    return false;
  }
}

/** Bun and Deno run this file too, and are named in `process.versions`. */
function hostName(): string {
  const { bun, deno, node } = process.versions;
  if (bun !== undefined) return `bun ${bun}`;
  return deno === undefined ? `node ${node}` : `deno ${deno}`;
}
