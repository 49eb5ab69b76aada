/** One op, one stem, in every language: contract, oracle, AssemblyScript, WGSL and cases. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { OPS, type OpName } from "../../ts-api/src/ops/table.js";
import { CASES } from "../conformance/cases.js";
import { filesBelow, textOf } from "./tree.js";

const STEMS = Object.keys(OPS) as OpName[];
const ROOMS = {
  contract: { folder: "ts-api/src/ops", end: ".ts" },
  oracle: { folder: "ts-api/src/backends/oracle/ops", end: ".ts" },
  assembly: { folder: "assembly/ops", end: ".ts" },
  gpu: { folder: "gpu/ops", end: ".wgsl" },
  cases: { folder: "tests/conformance/ops", end: ".ts" },
} as const;
/** What ts-api/src/ops holds beside the contracts. */
const SHARED = ["activation", "contract", "table"];

test("the op table has stems", () => {
  assert.ok(STEMS.length >= 5, STEMS.join(", "));
});

for (const [room, { folder, end }] of Object.entries(ROOMS)) {
  test(`every op has its file in ${folder}, and no file is without its op`, () => {
    const paths = filesBelow(folder).filter((path) => path.endsWith(end));
    const stems = new Set(paths.map((path) => stemOf(path.slice(folder.length + 1, -end.length))));
    const known = room === "contract" ? [...STEMS, ...SHARED] : STEMS;
    assert.deepEqual([...stems].sort(), [...known].sort());
  });
}

for (const stem of STEMS) {
  test(`${stem} has at least four cases, addressed by its stem`, () => {
    assert.ok(CASES[stem].length >= 4);
    for (const { id } of CASES[stem]) assert.ok(id.startsWith(`${stem}/`), id);
  });
}

/** Every "Twins:" line of a header, with the paths that it names. */
const headers = [...filesBelow("ts-api/src"), ...filesBelow("assembly"), ...filesBelow("gpu")].flatMap((path) => {
  const lines = textOf(path).match(/Twins?:[^\n]*/g) ?? [];
  return lines.flatMap((line) => (line.match(/\b(?:ts-api|assembly|gpu)\/[\w./-]+\.(?:ts|wgsl)\b/g) ?? []).map((twin) => ({ path, twin })));
});

test("the twins that headers name exist", () => {
  assert.ok(headers.length >= 20, `${headers.length} twins are named`);
  const absent = headers.filter(({ twin }) => !existsSync(twin)).map(({ path, twin }) => `${path} names ${twin}`);
  assert.deepEqual(absent, []);
});

/** Variants of an op stand beside it ("linear-int4.wgsl") or in a folder of its name ("linear/int4.ts"). */
function stemOf(file: string): string {
  const name = file.split("/")[0];
  return STEMS.find((stem) => name === stem || name.startsWith(`${stem}-`)) ?? name;
}
