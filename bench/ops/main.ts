/**
 * Each op alone, in every kernel of every module that the engine takes, beside the dot loop that bounds it. A kernel's output
 * is compared with the oracle's words before it is timed.
 */
import { modulesHere } from "../../tests/support/modules.js";
import type { Backend } from "../../ts-api/src/backends/backend.js";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { exportOf, kernelsFor } from "../../ts-api/src/backends/wasm/kernels.js";
import { openWasm } from "../../ts-api/src/backends/wasm/wasm.js";
import { workOf, type OpCall } from "../../ts-api/src/ops/table.js";
import { race, type Contestant } from "../support/measure.js";
import { openPeaks, peakOf, type ModuleName } from "../support/peaks.js";
import { peakRates, peakTable, rateCells, RATE_HEADERS } from "../support/report.js";
import { digits, table } from "../support/table.js";
import { attentionSubject, layerNormSubject, linearSubject, quantizeSubject, type Placed, type Subject } from "./subjects.js";

export interface OpsOptions {
  rounds: number;
  /** Only kernels whose name or size contains this. */
  only: string;
}

const SUBJECTS: readonly (() => Subject)[] = [
  ...(["fp32", "bf16", "int8", "int4", "nf4"] as const).map((format) => () => linearSubject(format, 256, 1280, 1280)),
  ...(["bf16", "int8"] as const).map((format) => () => quantizeSubject(format, 256, 1280)),
  () => layerNormSubject(256, 1280),
  ...(["fp32", "bf16"] as const).flatMap((format) => [
    () => attentionSubject(format, 196, 12, 64),
    () => attentionSubject(format, 256, 16, 80),
  ]),
];

interface Entry extends Contestant {
  call: OpCall;
  kernel: string;
  module: ModuleName;
}

/** A sample of an op, in milliseconds. */
const SAMPLE_MS = 20;

export async function benchOps({ rounds, only }: OpsOptions): Promise<void> {
  const modules = await modulesHere();
  const peaks = await openPeaks(modules.some(({ name }) => name === "relaxed"));
  const entries: Entry[] = [];
  for (const make of SUBJECTS) {
    const subject = make();
    for (const { name, module } of modules) entries.push(...(await entriesOf(subject, name as ModuleName, module, only)));
  }
  if (entries.length === 0) throw new Error(`No op or kernel has "${only}" in its name.`);

  const timings = await race([...peaks, ...entries], { rounds, sampleMs: SAMPLE_MS });
  const rates = peakRates(peaks, timings);
  const rows = entries.map(({ name, module, call, kernel }, i) => {
    const { min, median } = timings[peaks.length + i];
    const { operations, bytes } = workOf(call), peak = rates.get(peakOf(kernel, module))!;
    const traffic = [digits(bytes / 1e6), digits(bytes / median / 1e6)];
    return [name, module, digits(min), digits(median), ...rateCells(operations, median, peak), ...traffic];
  });
  console.log(`\n${peakTable(peaks, timings)}\n`);
  console.log(table(["kernel", "module", "min ms", "median ms", ...RATE_HEADERS, "MB", "GB/s"], rows));
}

async function entriesOf(subject: Subject, moduleName: ModuleName, module: WebAssembly.Module, only: string): Promise<Entry[]> {
  const exported = new Set(WebAssembly.Module.exports(module).map((entry) => entry.name));
  const oracle = openOracle();
  const few = await subject.place(oracle, "few");
  const kernels = kernelsFor(few.call), names = kernels.map((kernel) => kernel.name as string);
  const wanted = kernels.filter((kernel) => exported.has(exportOf(kernel)) && `${kernel.name} ${subject.size}`.includes(only)).map(({ name }) => name as string);
  if (wanted.length === 0) return [];
  const expected = await outputOf(oracle, few.call, few.y);
  const entries: Entry[] = [];
  for (const kernel of wanted) {
    // Other ops keep their kernels: they make this one's operands.
    const backend = await openWasm({ module, device: moduleName, allow: (name) => name === kernel || !names.includes(name) });
    const { call, y } = await subject.place(backend, "whole");
    if (Buffer.compare(subject.few(await outputOf(backend, call, y)), expected) !== 0) {
      throw new Error(`${kernel} (${moduleName}) does not give the oracle's words at ${subject.size}; nothing was timed.`);
    }
    const program = await backend.compile([call]);
    entries.push({ name: `${kernel} ${subject.size}`, call, kernel, module: moduleName, run: () => backend.run(program) });
  }
  return entries;
}

async function outputOf(backend: Backend, call: OpCall, y: Placed["y"]): Promise<Uint8Array> {
  backend.run(await backend.compile([call]));
  return backend.read(y);
}
