/** What kernels may not do: in the source of assembly/, and in the modules compiled from it. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { filesBelow, textOf, withoutComments } from "./tree.js";

/** The only functions that may fuse: their products are exact. */
const MAY_FUSE: Record<string, string> = { "assembly/lib/tile-fused.ts": "fused", "assembly/lib/tile-int4.ts": "scaled" };
/** Loose, or able to allocate, or changing bits with the optimiser level. */
const BANNED = [
  /\bMathf?\./, /\bNativeMath/, /\b(exp|log|sin|cos|tan|pow|sqrt)f\b/, /\bf(32|64)\.(sqrt|div|nearest)\b/, /\bf32x4\.(sqrt|div|nearest)\b/,
  /\bf64\b/, /\bnew\b/, /\bheap\./, /\bStaticArray\b/, /\bString\b|`/, /\bthrow\b/, /\bassert\(/, /\bmemory\.grow\b/,
  /\brelaxed_(?!madd\b|dot_i8x16_i7x16(?:_add)?_s\b)/, /\brelaxed_nmadd\b/,
];
/** Sections of a module that hold state. */
const STATE = { 4: "tables", 6: "globals", 8: "a start function", 9: "elements" } as Record<number, string>;

const CONSTANTS = "assembly/lib/constants.ts";
/** FIRST of ts-api/src/backends/wasm/arena.ts. */
const CONSTANTS_END = 1024;
const I32_CONST = 0x41;
const END = 0x0b;

const sources = filesBelow("assembly").filter((path) => path.endsWith(".ts") && !path.includes("__tests__"));

test("kernels use nothing that is loose, allocates or throws", () => {
  assert.ok(sources.length >= 12);
  const found = sources.flatMap((path) => {
    const code = withoutComments(textOf(path));
    const banned = path === CONSTANTS ? BANNED : [...BANNED, /\bmemory\.data\b/];
    return banned.filter((ban) => ban.test(code)).map((ban) => `${path} has ${ban.exec(code)![0]}`);
  });
  assert.deepEqual(found, []);
});

test("relaxed_madd stands only where products are exact", () => {
  const uses: string[] = [];
  for (const path of sources) {
    for (const [name, body] of functionsOf(withoutComments(textOf(path)))) {
      if (!body.includes("relaxed_madd")) continue;
      assert.equal(name, MAY_FUSE[path], `${path} fuses in ${name}`);
      uses.push(path);
    }
  }
  assert.deepEqual(uses.sort(), Object.keys(MAY_FUSE).sort());
});

const modules = readdirSync("dist/wasm").filter((name) => /^(kernels-|quantizer|resizer|scanner)/.test(name));

test("both kinds of module are built", () => {
  for (const kind of ["simd128", "relaxed"]) assert.ok(modules.includes(`kernels-${kind}.wasm`), modules.join(", "));
});

for (const name of modules) {
  test(`${name} imports a memory, exports kernels, and has no state`, () => {
    const sections = sectionsOf(readFileSync(`dist/wasm/${name}`));
    for (const [id, what] of Object.entries(STATE)) assert.ok(!sections.has(Number(id)), `${name} has ${what}`);
    const imports = new Reader(sections.get(2)!);
    assert.equal(imports.number(), 1);
    assert.deepEqual([imports.name(), imports.name(), imports.byte()], ["env", "memory", 2]);
    const exports = exportsOf(sections.get(7)!);
    assert.deepEqual(exports.filter(({ kind }) => kind !== 0).map((entry) => entry.name), ["memory"]);
    const kernels = exports.filter(({ kind }) => kind === 0).map((entry) => entry.name);
    const declared = entriesOf(name).flatMap(exportedNames);
    assert.ok(declared.length >= 1);
    assert.deepEqual(kernels.sort(), declared.sort());
  });

  test(`${name} has no data but the constants, where the arena gives out nothing`, () => {
    const section = sectionsOf(readFileSync(`dist/wasm/${name}`)).get(11);
    if (["resizer.wasm", "scanner.wasm"].includes(name)) return assert.equal(section, undefined, `${name} has no constants`);
    const data = new Reader(section!), count = data.number();
    assert.ok(count >= 1);
    for (let i = 0; i < count; i++) {
      assert.deepEqual([data.number(), data.byte()], [0, I32_CONST], "an active segment");
      const from = data.number();
      assert.equal(data.byte(), END);
      const { length } = data.bytes(data.number());
      assert.ok(from >= 64 && from + length <= CONSTANTS_END, `${length} bytes at ${from}`);
    }
  });
}

test("the simd128 modules have no relaxed instruction, the relaxed ones only those that have one answer here", () => {
  const texts = readdirSync("build/wasm").filter((name) => name.endsWith(".wat"));
  assert.deepEqual(texts.map((name) => name.replace(/t$/, "sm")).sort(), [...modules].sort());
  for (const name of texts) {
    const relaxed = new Set(textOf(`build/wasm/${name}`).match(/\b[fi]\d+x\d+\.relaxed_\w+|\bi\d+x\d+\.dot_i8x16\w+/g));
    const allowed = name.includes("relaxed") ? ["f32x4.relaxed_fma", "f32x4.relaxed_madd", "i16x8.dot_i8x16_i7x16_s", "i16x8.relaxed_dot_i8x16_i7x16_s", "i32x4.dot_i8x16_i7x16_add_s", "i32x4.relaxed_dot_i8x16_i7x16_add_s"] : [];
    assert.deepEqual([...relaxed].filter((instruction) => !allowed.includes(instruction)), [], name);
    if (name.includes("relaxed")) assert.ok(relaxed.size >= 3, `${name} has ${[...relaxed].join(", ")}`);
  }
});

/** Names and texts of the functions of a file; a function ends at a brace at the start of a line. */
function functionsOf(code: string): [name: string, body: string][] {
  return [...code.matchAll(/^(?:export )?function (\w+)([^]*?)^\}/gm)].map(([, name, body]) => [name, body]);
}

function entriesOf(module: string): string[] {
  if (!module.startsWith("kernels-")) return [`assembly/${module.replace(".wasm", ".ts")}`];
  return ["assembly/index.ts", ...(module.includes("relaxed") ? ["assembly/relaxed.ts"] : [])];
}

function exportedNames(path: string): string[] {
  return [...textOf(path).matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, names]) => names.split(",").map((name) => name.trim()));
}

/** Section id to content, of a WebAssembly binary. */
function sectionsOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const sections = new Map<number, Uint8Array>();
  const reader = new Reader(bytes, 8);
  while (!reader.atEnd) {
    const id = reader.byte();
    sections.set(id, reader.bytes(reader.number()));
  }
  return sections;
}

function exportsOf(section: Uint8Array): { name: string; kind: number }[] {
  const reader = new Reader(section);
  return Array.from({ length: reader.number() }, () => {
    const entry = { name: reader.name(), kind: reader.byte() };
    reader.number();
    return entry;
  });
}

class Reader {
  constructor(
    private readonly content: Uint8Array,
    private at = 0,
  ) {}

  get atEnd(): boolean {
    return this.at >= this.content.length;
  }

  byte(): number {
    return this.content[this.at++];
  }

  /** Unsigned LEB128. */
  number(): number {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  bytes(count: number): Uint8Array {
    return this.content.subarray(this.at, (this.at += count));
  }

  name(): string {
    return new TextDecoder().decode(this.bytes(this.number()));
  }
}
