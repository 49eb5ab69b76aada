/** Constants of the numeric contract: one name, one value, in TypeScript, AssemblyScript, WGSL and the document. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CODEBOOKS } from "../../ts-api/src/core/codebooks.js";
import { bitsOf } from "../../ts-api/src/core/float.js";
import { NUMERICS_VERSION } from "../../ts-api/src/core/numerics.js";
import { ACTIVATIONS } from "../../ts-api/src/ops/activation.js";
import { filesBelow, textOf, withoutComments } from "./tree.js";

const DOCUMENT = "docs/numeric-contract.md";
const SOURCES = ["ts-api/src/core/float.ts", "ts-api/src/backends/oracle/math.ts", "ts-api/src/backends/oracle/activation.ts"];
const ASSEMBLY = [...filesBelow("assembly/lib"), ...filesBelow("assembly/ops"), "ts-api/src/backends/wasm/kernels.ts"];
const GPU = filesBelow("gpu").filter((path) => path.endsWith(".wgsl"));
/** The lanes of a sum are registers in assembly/lib/lanes.ts, and have no constant there. */
const NOT_IN_ASSEMBLY = ["LANES"];

const oracle = new Map(SOURCES.flatMap((path) => constantsOf(path)));

test("the oracle's constants are found", () => {
  assert.ok(oracle.size >= 30, [...oracle.keys()].join(", "));
});

test("assembly has every constant of the oracle, with the same value", () => {
  const assembly = checkAgainst(oracle, ASSEMBLY);
  assert.deepEqual([...oracle.keys()].filter((name) => !assembly.has(name)), NOT_IN_ASSEMBLY);
});

test("gpu has every constant of the oracle, with the same value", () => {
  const gpu = checkAgainst(oracle, GPU);
  assert.deepEqual([...oracle.keys()].filter((name) => !gpu.has(name)), []);
});

test("the numbers of the activations are those of the op table", () => {
  for (const path of ["assembly/lib/activation.ts", "gpu/lib/activation.wgsl"]) {
    const constants = new Map(constantsOf(path));
    const numbers = Object.entries(ACTIVATIONS).map(([name]) => constants.get(name.replace(/[A-Z]/g, "_$&").toUpperCase()));
    assert.deepEqual(numbers, Object.values(ACTIVATIONS), path);
  }
});

test(`${DOCUMENT} is of this version, and its tables have the constants and their bits`, () => {
  const text = textOf(DOCUMENT);
  assert.match(text, new RegExp(`^# Numeric contract, version ${NUMERICS_VERSION}$`, "m"));
  const rows = [...text.matchAll(/^\| `([A-Z][A-Z0-9_]*)` \| (\S+) \| `(0x[0-9a-f]{8})` \|/gm)];
  assert.deepEqual(rows.map(([, name]) => name).sort(), [...oracle.keys()].sort());
  for (const [, name, value, bits] of rows) {
    const number = oracle.get(name)!;
    assert.equal(Number(value), number, `${name} in ${DOCUMENT}`);
    const expected = isInteger(name) ? number : bitsOf(number);
    assert.equal(Number(bits), expected >>> 0, `bits of ${name} in ${DOCUMENT}`);
  }
});

test("the codebooks are the same in every language and in the document", () => {
  const expected = Object.values(CODEBOOKS).flatMap((values) => [...values]);
  for (const [path, list] of [["assembly/lib/codebook.ts", /f32x4\(([^)]*)\)/g], ["gpu/lib/codebook.wgsl", /array<f32, 16>\(([^)]+)\)/g]] as const) {
    const numbers = [...withoutComments(textOf(path)).matchAll(list)].flatMap(([, text]) => text.split(",").filter((part) => /\d/.test(part)).map(Number));
    assert.deepEqual(numbers.map(Math.fround), expected, path);
  }
  const rows = [...textOf(DOCUMENT).matchAll(/^\| \d+ \| (\S+) \| `(0x[0-9a-f]{8})` \| (\S+) \| `(0x[0-9a-f]{8})` \|$/gm)];
  const column = (value: number, bits: number) => rows.map((row) => [Math.fround(Number(row[value])), Number(row[bits])]);
  assert.deepEqual([...column(1, 2), ...column(3, 4)], expected.map((value) => [value, bitsOf(value) >>> 0]));
});

/** Checks every constant of `paths` that has a name of `known` or of another file; returns their names. */
function checkAgainst(known: ReadonlyMap<string, number>, paths: readonly string[]): Set<string> {
  const seen = new Map<string, number>(known), names = new Set<string>();
  for (const path of paths) {
    for (const [name, value] of constantsOf(path)) {
      if (/^(FP32|BF16|K_BLOCK|PLAIN|DOT\d+)$/.test(name)) continue; // Local to a file.
      assert.equal(value, seen.get(name) ?? value, `${name} in ${path}`);
      seen.set(name, value);
      names.add(name);
    }
  }
  return names;
}

/** Names in capitals that are given a number: `const NAME: f32 = 1.5;`, `const NAME: usize = memory.data<f32>([1.5]);`, `const NAME = fround(1.5);`, `const NAME: u32 = 0x5u;`. */
function constantsOf(path: string): [name: string, value: number][] {
  const number = /(?:fround\(|memory\.data<(\w+)>\(\[)?(?:<i32>)?(-?(?:0x[0-9a-fA-F]+|[\d.]+(?:e[-+]?\d+)?))[uif]?\]?\)?;/;
  const pattern = new RegExp(`\\bconst ([A-Z][A-Z0-9_]*)(?::\\s*(\\w+))?\\s*=\\s*${number.source}`, "g");
  return [...withoutComments(textOf(path)).matchAll(pattern)].map(([, name, type, element, number]) => {
    const value = Number(number);
    return [name, isInteger(name) || /^[iu]32$/.test(element ?? type) ? value : Math.fround(value)];
  });
}

/** Bit patterns and counts: kept as integers. */
function isInteger(name: string): boolean {
  return /_(BITS|SEED)$/.test(name) || name === "LANES";
}
