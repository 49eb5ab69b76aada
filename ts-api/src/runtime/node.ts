import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { IJepaError } from "../core/errors.js";
import type { ByteSource, Runtime, WasmModuleName } from "./env.js";

const require = createRequire(import.meta.url);
const root = packageRoot();

const MODULE_FILES: Record<WasmModuleName, () => string> = {
  "kernels-simd128": () => join(root, "dist/wasm/kernels-simd128.wasm"),
  "kernels-simd128-shared": () => join(root, "dist/wasm/kernels-simd128-shared.wasm"),
  "kernels-relaxed": () => join(root, "dist/wasm/kernels-relaxed.wasm"),
  "kernels-relaxed-shared": () => join(root, "dist/wasm/kernels-relaxed-shared.wasm"),
  "jpeg-decoder": () => join(dirname(require.resolve("@jsquash/jpeg/package.json")), "codec/dec/mozjpeg_dec.wasm"),
  "webp-decoder": () => join(dirname(require.resolve("@jsquash/webp/package.json")), "codec/dec/webp_dec.wasm"),
};

const compiled = new Map<WasmModuleName, Promise<WebAssembly.Module>>();

export const runtime: Runtime = {
  name: hostName(),
  defaultModel: join(root, "models/demo"),

  wasmModule(name) {
    let module = compiled.get(name);
    if (module === undefined) {
      module = readFile(MODULE_FILES[name]()).then((bytes) => WebAssembly.compile(bytes));
      compiled.set(name, module);
    }
    return module;
  },

  async openFile(path): Promise<ByteSource> {
    try {
      const kind = await stat(path);
      if (!kind.isFile()) throw new Error(kind.isDirectory() ? "it is a folder" : "it is no regular file");
      const handle = await open(path, "r");
      const { size } = await handle.stat();
      return {
        name: path,
        size,
        async read(offset, length) {
          const bytes = new Uint8Array(length);
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

  async writeFile(path, bytes) {
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      await writeFile(temporary, bytes, { flag: "wx" });
      await rename(temporary, path);
    } catch (cause) {
      await rm(temporary, { force: true });
      throw new IJepaError("io/write", `Cannot write ${path}: ${reason(cause)}. Check that the folder exists and may be written.`, { path }, { cause });
    }
  },

  cores: availableParallelism(),

  startThread(data) {
    const worker = new Worker(join(root, "dist/thread.js"), { workerData: data });
    worker.unref();
    return new Promise((resolve, reject) => {
      worker.once("message", () => resolve({ terminate: async () => void (await worker.terminate()) }));
      worker.once("error", reject);
    });
  },

  yieldToHost: () => new Promise((resolve) => setImmediate(resolve)),
};

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
