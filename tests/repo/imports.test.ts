/** Who may import whom in ts-api/src and weights-tools (docs/architecture.md), and who may name the runtime. */
import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { drawMap } from "./map.js";
import { MAY_IMPORT, ROOT } from "./rooms.js";
import { filesBelow, textOf } from "./tree.js";

/** Known exceptions, file to import. One that is no longer needed fails the test. */
const EXCEPTIONS = new Set([
  // The serialisers of result files are the command line's, and are made of the library's readers and writers.
  "cli/output -> core/bytes",
  "cli/output -> core/errors",
  "cli/output -> core/numerics",
  "cli/output -> core/tensor",
  "cli/output -> weights/dtypes",
  "cli/output -> weights/npy",
  "cli/output -> weights/safetensors/writer",
  // Commands and options that are misspelt are answered as the library answers its own.
  "cli/run -> core/options",
  "cli/run -> core/show",
  "cli/args -> core/options",
  "cli/args -> core/show",
  // Messages show URLs without their secrets.
  "cli/extract -> weights/sources/url",
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
      const target = specifier.startsWith(".") ? targetOf(source, specifier) : specifier;
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
      if (/^(\.|#(runtime$|devices$|embedded\/)|node:)/.test(specifier)) continue;
      assert.ok(declared.some((name) => specifier === name || specifier.startsWith(`${name}/`)), `${file} imports ${specifier}`);
    }
  }
});

test("only runtime/ and threads/ name process, Deno, Bun, Buffer or node: modules", () => {
  const outside = [...sources].filter(([file]) => !["runtime", "threads"].includes(roomOf(file)));
  assert.ok(outside.length > 50);
  const named = outside.flatMap(([file, source]) => {
    const names = [...hostNamesOf(source), ...importsOf(source).filter((specifier) => specifier.startsWith("node:"))];
    return names.map((name) => `${file} names ${name}`);
  });
  assert.deepEqual(named, []);
});

test("rooms import downwards only", () => {
  const order = Object.keys(MAY_IMPORT);
  for (const [room, allowed] of Object.entries(MAY_IMPORT)) {
    const placeOf = (name: string) => order.indexOf(order.includes(name) ? name : roomOf(name));
    const upwards = allowed.filter((target) => !target.startsWith("#") && placeOf(target) >= placeOf(room));
    assert.deepEqual(upwards, [], `${room} may import only from rooms listed before it`);
  }
});

test("docs/pictures/rooms.svg is the table, drawn", () => {
  assert.equal(textOf("docs/pictures/rooms.svg"), drawMap(MAY_IMPORT), "draw it again: node scripts/map.mjs");
});

test("docs/architecture.md describes every room", () => {
  const described = [...textOf("docs/architecture.md").matchAll(/^\| `([^`|]+)`[^|]*\|/gm)].map(([, name]) => name.replace(/\.ts$/, ""));
  const missing = Object.keys(MAY_IMPORT).filter((room) => !described.includes(room));
  assert.deepEqual(missing, []);
});

test("no files import one another in a circle", () => {
  const below = new Map([...sources].map(([file, source]) => [file, importsOf(source).filter((name) => name.startsWith(".")).map((name) => targetOf(source, name))]));
  const clear = new Set<string>();
  const follow = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `a circle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
    if (clear.has(file)) return;
    for (const target of below.get(file) ?? []) follow(target, [...path, file]);
    clear.add(file);
  };
  for (const file of below.keys()) follow(file, []);
});

function roomOf(file: string): string {
  const [first, second, ...rest] = file.split("/");
  if (second === undefined) return first;
  if (first !== "backends" || second === "backend") return first === "backends" ? file : first;
  return rest.length === 0 ? "backends/*" : `backends/${second}`;
}

/** The file that an import of `source` names. */
function targetOf(source: ts.SourceFile, specifier: string): string {
  return nameOf(posix.join(posix.dirname(source.fileName), specifier));
}

/** An entry of the table is a room, or one file of a room; a room's own files are always allowed. */
function isAllowed(room: string, target: string): boolean {
  const allowed = [room, ...MAY_IMPORT[room]];
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
