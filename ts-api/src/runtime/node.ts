import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { IJepaError } from "../core/errors.js";
import type { ByteSource, Runtime, WasmModuleName } from "./env.js";
import { missingModule, wasmModules } from "./modules.js";
import { files } from "./node-files.js";
import { createFolder } from "./node-folder.js";
import { nodeThreads } from "./node-threads.js";
import { revectorizer } from "./revectorize.js";

const root = packageRoot();

export const runtime: Runtime = {
  name: hostName(),
  defaultModel: join(root, "models/demo"),

  wasmModule: wasmModules(async (name) => WebAssembly.compile(await moduleBytes(name))),
  revectorizedModule: revectorizer(moduleBytes),

  async openFile(path): Promise<ByteSource> {
    try {
      const kind = await stat(path);
      if (!kind.isFile()) throw new Error(kind.isDirectory() ? "it is a folder" : "it is no regular file");
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
      throw new IJepaError("io/read", `Cannot read ${path}: ${reason(cause)}. Check the path and its permissions.`, { path }, { cause });
    }
  },

  async writeFile(path, content, { makeFolder = false } = {}) {
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      if (makeFolder) await mkdir(dirname(path), { recursive: true });
      const file = await open(temporary, "wx");
      try {
        if (content instanceof Uint8Array) await file.writeFile(content);
        else for await (const chunk of content) await file.appendFile(chunk);
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => {}); // Where its folder is none, there is nothing to remove.
      if (cause instanceof IJepaError) throw cause;
      throw new IJepaError("io/write", `Cannot write ${path}: ${reason(cause)}. Check that the folder exists and may be written.`, { path }, { cause });
    }
  },

  createFolder,
  files,
  env: (name) => process.env[name],

  createHash(algorithm) {
    const hash = createHash(algorithm);
    return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
  },

  cores: availableParallelism(),

  noThreads: undefined,

  ...nodeThreads(join(root, "dist")),

  yieldToHost: () => new Promise((resolve) => setImmediate(resolve)),
};

async function moduleBytes(name: WasmModuleName): Promise<Uint8Array<ArrayBuffer>> {
  const path = join(root, "dist/wasm", `${name}.wasm`);
  return readFile(path).catch((cause: unknown) => {
    throw missingModule(path, reason(cause), cause);
  });
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Bun and Deno run this file too, and say so in `process.versions`. */
function hostName(): string {
  const { bun, deno, node } = process.versions;
  if (bun !== undefined) return `bun ${bun}`;
  return deno === undefined ? `node ${node}` : `deno ${deno}`;
}

/** The folder of ijepa's own package.json, wherever this file was built to. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "models/demo/config.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("The ijepa package is incomplete: no models/demo above its code.");
    folder = parent;
  }
  return folder;
}
