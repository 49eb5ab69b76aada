/** Who may import whom in ts-api/src and weights-tools (docs/architecture.md), and who may name the runtime. */
import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { filesBelow, textOf } from "./tree.js";

const ROOT = "ts-api/src";
/** Room of a file to the rooms that it may import from; "#runtime" is the interface of the host, "#devices" what the build computes on. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: ["core"],
  ops: ["core", "ops"],
  "backends/backend": ["core", "ops"],
  "backends/oracle": ["core", "ops", "backends/backend", "backends/oracle"],
  "backends/wasm": ["core", "ops", "backends/backend", "backends/wasm", "runtime/env", "#runtime"],
  "backends/webgpu": ["core", "ops", "backends/backend", "backends/webgpu"],
  "backends/*": ["core", "ops", "backends/backend", "backends/wasm", "backends/webgpu", "backends/*", "runtime/env", "#runtime", "#devices"],
  weights: ["core", "ops", "weights", "model/config", "runtime/env", "#runtime"],
  image: ["core", "image", "#runtime"],
  model: ["core", "ops", "weights", "model", "backends/backend", "backends/*", "#runtime"],
  pipelines: ["core", "image", "model", "pipelines", "weights"],
  server: ["core", "image", "model", "pipelines", "server"],
  verify: ["core", "ops", "weights", "image", "model", "verify", "backends/backend", "backends/wasm", "backends/webgpu", "backends/*", "#runtime", "#devices"],
  visualize: ["core", "image", "model", "visualize"],
  "weights-tools": ["core", "ops", "weights", "image", "model", "pipelines", "weights-tools", "backends/backend", "backends/*", "runtime/env", "#runtime"],
  index: ["core", "image", "model", "pipelines", "verify", "visualize", "backends/*", "runtime/env", "runtime/modules", "index"],
  runtime: ["core", "runtime"],
  cli: ["index", "server", "weights-tools", "cli", "runtime", "#runtime"],
};
/** Known exceptions, file to import. One that is no longer needed fails the test. */
const EXCEPTIONS = new Set([
  // The serialisers of result files are the command line's, and are made of the library's readers and writers.
  "cli/output -> core/errors",
  "cli/output -> core/numerics",
  "cli/output -> core/tensor",
  "cli/output -> weights/dtypes",
  "cli/output -> weights/npy",
  "cli/output -> weights/safetensors-writer",
  // Messages show URLs without their secrets.
  "cli/extract -> weights/sources/url",
  // `IJepaImageProcessor.fromPretrained` takes what the models take, and reads its file as they do.
  "image/processor -> weights/checkpoint",
  "image/processor -> weights/source-options",
  // The program of a worker thread; the host only starts it.
  "runtime/browser-thread -> backends/wasm/crew",
  "runtime/node-thread -> backends/wasm/crew",
]);
const HOST_NAMES = new Set(["process", "Deno", "Bun", "Buffer", "require", "__dirname"]);

/** Files of ts-api/src are named from there. */
const nameOf = (path: string) => path.replace(/\.[jt]s$/, "").replace(`${ROOT}/`, "");
const paths = [ROOT, "weights-tools"].flatMap(filesBelow).filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
const sources = new Map(paths.map((path) => [nameOf(path), ts.createSourceFile(path, textOf(path), ts.ScriptTarget.ES2022, true)]));

test("imports go in the directions of docs/architecture.md", () => {
  const used = new Set<string>(), wrong: string[] = [];
  for (const [file, source] of sources) {
    const room = roomOf(file);
    assert.ok(room in MAY_IMPORT, `${source.fileName} is in no room that docs/architecture.md knows`);
    for (const specifier of importsOf(source)) {
      const target = specifier.startsWith(".") ? nameOf(posix.join(posix.dirname(source.fileName), specifier)) : specifier;
      if (!/^[.#]/.test(specifier) || specifier.endsWith(".wasm")) continue;
      if (isAllowed(room, target)) continue;
      const edge = `${file} -> ${target}`;
      if (EXCEPTIONS.has(edge)) used.add(edge);
      else wrong.push(edge);
    }
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual([...EXCEPTIONS].filter((edge) => !used.has(edge)), [], "exceptions that nothing needs");
});

test("only the package's own dependencies are imported", () => {
  const { dependencies, peerDependencies = {} } = JSON.parse(textOf("package.json")) as Record<string, Record<string, string>>;
  const declared = [...Object.keys(dependencies), ...Object.keys(peerDependencies)];
  for (const [file, source] of sources) {
    for (const specifier of importsOf(source)) {
      if (/^(\.|#(runtime|devices)$|node:)/.test(specifier)) continue;
      assert.ok(declared.some((name) => specifier === name || specifier.startsWith(`${name}/`)), `${file} imports ${specifier}`);
    }
  }
});

test("only runtime/ names process, Deno, Bun, Buffer or node: modules", () => {
  const outside = [...sources].filter(([file]) => roomOf(file) !== "runtime");
  assert.ok(outside.length > 50);
  const named = outside.flatMap(([file, source]) => {
    const names = [...hostNamesOf(source), ...importsOf(source).filter((specifier) => specifier.startsWith("node:"))];
    return names.map((name) => `${file} names ${name}`);
  });
  assert.deepEqual(named, []);
});

function roomOf(file: string): string {
  const [first, second, ...rest] = file.split("/");
  if (second === undefined) return first;
  if (first !== "backends" || second === "backend") return first === "backends" ? file : first;
  return rest.length === 0 ? "backends/*" : `backends/${second}`;
}

/** An entry of the table is a room, or one file of a room. */
function isAllowed(room: string, target: string): boolean {
  const allowed = MAY_IMPORT[room];
  return allowed.includes(target) || allowed.includes(roomOf(target));
}

function importsOf(source: ts.SourceFile): string[] {
  const specifiers: string[] = [];
  visit(source, (node) => {
    const from = ts.isImportDeclaration(node) || ts.isExportDeclaration(node) ? node.moduleSpecifier : dynamicImport(node);
    if (from !== undefined && ts.isStringLiteral(from)) specifiers.push(from.text);
  });
  return specifiers;
}

function dynamicImport(node: ts.Node): ts.Expression | undefined {
  return ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword ? node.arguments[0] : undefined;
}

/** Host names that stand as values: not as the names of properties or methods. */
function hostNamesOf(source: ts.SourceFile): string[] {
  const names: string[] = [];
  visit(source, (node) => {
    if (!ts.isIdentifier(node) || !HOST_NAMES.has(node.text)) return;
    const { parent } = node;
    const isProperty = (ts.isPropertyAccessExpression(parent) && parent.name === node) || (ts.isPropertyAssignment(parent) && parent.name === node);
    if (!isProperty) names.push(node.text);
  });
  return names;
}

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}
