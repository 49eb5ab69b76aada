/**
 * Writes the WGSL of gpu/ into a TypeScript module, so that every runtime and bundler finds it: without comments and indents, line for line,
 * so that a compiler's message names the line of the file.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { globSync } from "./glob.mjs";
import { root } from "./run.mjs";

const target = join(root, "ts-api/src/backends/webgpu/shaders.ts");
const folder = join(root, "gpu");
const entries = globSync(folder, ".wgsl").map((path) => {
  const name = relative(folder, path).split(sep).join("/").replace(/\.wgsl$/, "");
  return `  ${JSON.stringify(name)}: ${JSON.stringify(bare(readFileSync(path, "utf8")))},\n`;
});
const text = `/** Made from gpu/ by scripts/shaders.mjs: every WGSL file without comments and indents, by its path. */\nexport const SHADERS = {\n${entries.join("")}};\n`;

function bare(wgsl) {
  return wgsl.replace(/\/\/.*$/gm, "").replace(/^[ \t]+|[ \t]+$/gm, "");
}

let before = "";
try {
  before = readFileSync(target, "utf8");
} catch {
  // The first build of a checkout.
}
if (before !== text) writeFileSync(target, text);
