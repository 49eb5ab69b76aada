/** A Worker as wrangler uploads it. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";

export interface WorkerModule {
  type: string;
  path: string;
  contents: string | Uint8Array;
}

interface Plugin {
  name: string;
  setup(build: { onResolve(filter: { filter: RegExp }, found: (args: { path: string; resolveDir: string }) => object): void }): void;
}

/** Finds what is installed in tests/package. */
export const require = createRequire(resolve("tests/package/package.json"));

/**
 * One file and its WebAssembly modules, each a module of the Worker.
 * @param alias files in place of packages, by the packages' names
 */
export async function bundleWorker(entry: string, alias: Record<string, string> = {}): Promise<WorkerModule[]> {
  const { build } = require("esbuild") as { build(options: object): Promise<{ outputFiles: { text: string }[] }> };
  const modules = new Map<string, Uint8Array>();
  const plugin: Plugin = {
    name: "wasm",
    setup({ onResolve }) {
      onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        modules.set(basename(path), readFileSync(join(resolveDir, path)));
        return { path: `./${basename(path)}`, external: true };
      });
    },
  };
  const options = { bundle: true, write: false, format: "esm", target: "es2022", conditions: ["workerd", "worker", "browser"], logLevel: "error" };
  const { outputFiles } = await build({ ...options, entryPoints: [entry], alias, plugins: [plugin] });
  return [
    { type: "ESModule", path: "worker.mjs", contents: outputFiles[0].text },
    ...Array.from(modules, ([path, contents]) => ({ type: "CompiledWasm", path, contents })),
  ];
}
