/** What `doctor` promises: the ratios of docs/performance.md, for the options that a machine has. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ENGINES, gainsOf, INT4, INT8, TWO_THREADS, WIDE } from "../../../ts-api/src/verify/gains.js";

const performance = readFileSync("docs/performance.md", "utf8");
const machine = { runtime: "node 24.1.0", cores: 1, threads: true, revectorized: false, gpu: false };

test("the ratios are those that were measured", () => {
  const rows = [...performance.matchAll(/^\| (\w+(?: \d+)?)[\d.]* \|(.*)\|$/gm)];
  const cellsOf = (engine: string) => rows.find(([, name]) => name === engine || name.startsWith(`${engine} `))![2].split("|").map((cell) => cell.trim());
  for (const { engine, ratio } of ENGINES) {
    const [, int4, , , int8, , bf16] = cellsOf(engine);
    assert.deepEqual(ratio, { int4: Number(int4), int8: Number(int8), bf16: Number(bf16) }, engine);
  }
  const node24 = cellsOf("Node 24"), median = (cell: string) => Number(cell.split("/")[1]);
  assert.equal(INT4.bf16, Number((median(node24[5]) / median(node24[0])).toFixed(1)));
  const wide = /^\| ijepa \|.*?\| ([\d.]+) \|$/m.exec(performance)!;
  assert.equal(WIDE.int4, Number(wide[1]));
  assert.equal(WIDE.bf16, Number(/With 256 bits bf16 is ([\d.]+) times as fast/.exec(performance)![1]));
  const [, threadsInt4, threadsBf16] = /\*\*Two threads\*\* are ([\d.]+) times as fast as one for int4 and ([\d.]+) times for bf16/.exec(performance)!;
  assert.deepEqual(TWO_THREADS, { int4: Number(threadsInt4), bf16: Number(threadsBf16) });
  assert.equal(INT8.bf16, Number(/int8 beside bf16.*?: ([\d.]+) times as fast on Node 24/.exec(performance)![1]));
});

test("only what the machine has is offered, the largest gain first", () => {
  const options = (given: Partial<typeof machine>) => gainsOf({ ...machine, ...given }).map(({ option }) => option);
  assert.deepEqual(options({}), ['dtype "int4" instead of "bf16"', 'dtype "int8" instead of "bf16"']);
  assert.deepEqual(options({ runtime: "node 20.20.2", cores: 2 }).slice(0, 3), ['dtype "int4" instead of "bf16"', 'threads "auto"', "Node 24 instead of Node 20"]);
  assert.ok(options({ cores: 2, threads: false }).every((option) => !option.startsWith("threads")));
  assert.match(options({ cores: 16 })[1], /two of 16, more were not measured/);
  assert.ok(options({ revectorized: true }).some((option) => option.startsWith("revectorize")));
  assert.equal(options({ gpu: true }).at(-1), 'device "webgpu"');
});
