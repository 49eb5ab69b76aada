/** Kernels and codecs to dist/wasm, TypeScript to build/, the package to dist/. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./run.mjs";
import { writeTypes } from "./types.mjs";

const MODULES = {
  simd128: "assembly/index.ts",
  "simd128-shared": "assembly/index.ts",
  relaxed: "assembly/relaxed.ts",
  "relaxed-shared": "assembly/relaxed.ts",
  quantizer: "assembly/quantizer.ts",
  scanner: "assembly/scanner.ts",
  resizer: "assembly/resizer.ts",
};

/** Built by scripts/codecs.mjs when their libraries are updated. */
const CODECS = ["jpeg-decoder", "webp-decoder"];
/** Packages whose code is in the builds for browsers and Workers. */
const BUNDLED = ["@noble/hashes", "hono", "hyparquet", "hyparquet-writer", "pako"];
/** The libraries in the codecs; their licences are in codecs/licenses. */
const COMPILED = ["libjpeg-turbo", "libwebp", "wasi-libc"];

for (const folder of ["build", "dist"]) rmSync(join(root, folder), { recursive: true, force: true });
mkdirSync(join(root, "dist/wasm"), { recursive: true });
for (const [target, entry] of Object.entries(MODULES)) {
  run(process.execPath, ["node_modules/assemblyscript/bin/asc.js", entry, "--config", "asconfig.json", "--target", target]);
}
const module = (path) => join(root, "node_modules", path);
for (const name of CODECS) copyFileSync(join(root, `codecs/${name}.wasm`), join(root, `dist/wasm/${name}.wasm`));
run(process.execPath, ["scripts/shaders.mjs"]);
run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]);
run(process.execPath, ["node_modules/rollup/dist/bin/rollup", "--config", "--silent"]);
writeTypes(join(root, "dist/types"));
writeTypes(join(root, "dist/cjs/types"), { comments: false });
writeFileSync(join(root, "dist/cjs/package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
const notice = (name, path) => `${name}\n\n${readFileSync(path, "utf8").trim()}\n`;
const notices = [
  ...BUNDLED.map((name) => notice(name, module(`${name}/LICENSE`))),
  ...COMPILED.map((name) => notice(name, join(root, `codecs/licenses/${name}.txt`))),
];
writeFileSync(join(root, "dist/THIRD-PARTY-LICENSES.txt"), `Parts of this package come from the projects below.\n\n${notices.join("\n\n")}`);
