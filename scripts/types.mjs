/**
 * Makes the package's types from those of the compiler: everything that its entries reach, with the hosts' types behind its own names
 * (host-types.d.ts). Once for ES modules, and once for CommonJS without comments and indents, which would be half of the bytes.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import ts from "typescript";
import { root } from "./run.mjs";

const BUILT = join(root, "build");
/** From the compiler's folders to the package's, where the tools are beside the library. */
const FOLDERS = [[join(BUILT, "ts-api/src"), "."], [join(BUILT, "weights-tools"), "weights-tools"]];
const ENTRIES = ["ts-api/src/index", "ts-api/src/server/index", "ts-api/src/transformers/index", "ts-api/src/collections/index", "ts-api/src/queue/index", "weights-tools/index"];
/** The global types of hosts, and those of host-types.d.ts. */
const HOST_TYPES = new Map([
  ...["AbortSignal", "URL", "Request", "Response", "Blob", "ImageData", "OffscreenCanvas", "ReadableStream", "GPU", "GPUDevice", "GPUComputePipeline", "GPUSupportedLimits", "GPUPowerPreference"].map((name) => [name, name]),
  ["WebAssembly.Module", "WasmModule"],
  ["WebAssembly.Memory", "WasmMemory"],
  ["globalThis.fetch", "Fetch"],
  ["fetch", "Fetch"],
]);

export function writeTypes(target, { comments = true } = {}) {
  mkdirSync(target, { recursive: true });
  copyFileSync(join(root, "scripts/host-types.d.ts"), join(target, "host-types.d.ts"));
  copyFileSync(join(root, "ts-api/src/runtime/wasm-module.d.ts"), join(target, "wasm-module.d.ts"));
  const seen = new Set();
  for (const entry of ENTRIES) write(join(BUILT, `${entry}.d.ts`));

  function write(path) {
    if (seen.has(path)) return;
    seen.add(path);
    const file = placeOf(path), edits = [];
    const to = (place) => {
      const specifier = relative(dirname(file), place).split(sep).join("/").replace(/\.d\.ts$/, ".js");
      return specifier.startsWith(".") ? specifier : `./${specifier}`;
    };
    const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2022, true);
    const visit = (node) => {
      const text = ts.isTypeReferenceNode(node) ? node.typeName.getText() : ts.isTypeQueryNode(node) ? node.exprName.getText() : undefined;
      if (text !== undefined && HOST_TYPES.has(text)) edits.push([node.getStart(), node.end, `import("${to("host-types.d.ts")}").${HOST_TYPES.get(text)}`]);
      const names = ts.isImportDeclaration(node.parent ?? source) || ts.isExportDeclaration(node.parent ?? source) || ts.isImportTypeNode(node.parent?.parent ?? source);
      if (names && ts.isStringLiteral(node) && node.text.startsWith(".")) {
        const other = join(dirname(path), node.text.replace(/\.js$/, ".d.ts"));
        edits.push([node.getStart(), node.end, JSON.stringify(to(placeOf(other)))]);
        write(other);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    let text = source.text;
    for (const [start, end, replacement] of edits.sort((a, b) => b[0] - a[0])) text = text.slice(0, start) + replacement + text.slice(end);
    mkdirSync(dirname(join(target, file)), { recursive: true });
    const bare = comments ? text.replace(/^\/\/# sourceMappingURL=.*$/m, "") : withoutComments(file, text);
    writeFileSync(join(target, file), bare.replace(/^(?: {4})+/gm, (indent) => (comments ? "\t".repeat(indent.length / 4) : "")));
  }
}

function withoutComments(file, text) {
  return ts.createPrinter({ removeComments: true }).printFile(ts.createSourceFile(file, text, ts.ScriptTarget.ES2022));
}

/** Where a file of the compiler's lies in the package's folder of types. */
function placeOf(path) {
  const [folder, place] = FOLDERS.find(([folder]) => path.startsWith(folder + sep));
  return join(place, relative(folder, path));
}
