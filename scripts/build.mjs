/** Kernels to dist/wasm, TypeScript to build/, the package to dist/. */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./run.mjs";

const KERNELS = {
  simd128: "assembly/index.ts",
  "simd128-shared": "assembly/index.ts",
  relaxed: "assembly/relaxed.ts",
  "relaxed-shared": "assembly/relaxed.ts",
};

for (const folder of ["build", "dist"]) rmSync(join(root, folder), { recursive: true, force: true });
mkdirSync(join(root, "dist/wasm"), { recursive: true });
for (const [target, entry] of Object.entries(KERNELS)) {
  run(process.execPath, ["node_modules/assemblyscript/bin/asc.js", entry, "--config", "asconfig.json", "--target", target]);
}
run(process.execPath, ["scripts/shaders.mjs"]);
run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]);
run(process.execPath, ["node_modules/rollup/dist/bin/rollup", "--config", "--silent"]);
cpSync(join(root, "build/ts-api/src"), join(root, "dist/types"), {
  recursive: true,
  filter: (path) => !/\.(js|map|tsbuildinfo)$/.test(path),
});
