/** `npm run bench -- ops|encoder|engines|peers|file|bulk|page|queue|search|threads|webgpu|weights|worker`: see docs/performance.md. */
import { parseArgs } from "node:util";
import { DTYPES, type Dtype } from "../ts-api/src/core/numerics.js";
import { benchBulk } from "./bulk/main.js";
import { benchBulkMemory } from "./bulk/memory.js";
import { benchEncoder } from "./encoder/main.js";
import { benchEngines } from "./engines/main.js";
import { benchFile } from "./file/main.js";
import { benchOps } from "./ops/main.js";
import type { AccuracyLevel } from "./peers/graph.js";
import { benchPage } from "./page/main.js";
import { benchPeers } from "./peers/main.js";
import { benchQueue } from "./queue/main.js";
import { benchSearch } from "./search/main.js";
import { describeMachine } from "./support/machine.js";
import { MODELS, type ModelName } from "./support/models.js";
import { benchThreads } from "./threads/main.js";
import { benchWebgpu, WEBGPU_MODELS } from "./webgpu/main.js";
import { benchWeights } from "./weights/main.js";
import { benchWorker } from "./worker/main.js";

const USAGE = `npm run bench -- ops     [--rounds N] [--only TEXT]
npm run bench -- encoder [--rounds N] [--model vitb16|vith14] [--dtype fp32|bf16|int8|int4]... [--threads N] [--revectorize]
npm run bench -- engines [--rounds N] [--model vitb16|vith14] [--dtype fp32|bf16|int8|int4]... [--only TEXT]
npm run bench -- peers   [--rounds N] [--model vitb16|vith14] [--dtype fp32|bf16|int8|int4]... [--threads N] [--accuracy-level 0|4]...
npm run bench -- file    [--rounds N]
npm run bench -- page    [--rounds N] [--photos N]
npm run bench -- queue   [--rounds N] [--model vitb16|vith14] [--dtype fp32|bf16|int8|int4] [--threads N]
npm run bench -- search  [--rows N]...
npm run bench -- bulk    [--rounds N] [--revectorize], or --memory [--images N]...
npm run bench -- threads [--rounds N] [--model vitb16|vith14] [--dtype fp32|bf16|int8|int4]... [--threads N] [--revectorize]
npm run bench -- webgpu  [--rounds N] [--model vitb16|vith14|tiny] [--dtype fp32|bf16|int8|int4]... [--batch N]... [--out FILE]
npm run bench -- weights [--rounds N] [--model vitb16|vith14] [--dtype fp32|bf16|int8|int4]...
npm run bench -- worker  [--rounds N] [--model vitb16|vith14] [--dtype fp32|bf16|int8|int4]...

--node24          in Node 24 (relaxed SIMD), which is installed first; Linux on x86-64
--accuracy-level  of the peers' MatMulNBits: 0, its default, computes in f32; 4 rounds activations to int8; default both
--threads         of threads: beside one; default 2
--revectorize     vectors of 256 bits (Node 24 on x86-64); ops and peers time both
Flags before the name of the bench go to node: npm run bench -- --cpu-prof encoder --node24`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    only: { type: "string", default: "" },
    model: { type: "string", default: "vitb16" },
    dtype: { type: "string", multiple: true },
    threads: { type: "string", default: "1" },
    revectorize: { type: "boolean", default: false },
    batch: { type: "string", multiple: true, default: ["1"] },
    out: { type: "string" },
    memory: { type: "boolean", default: false },
    images: { type: "string", multiple: true, default: ["1000", "10000"] },
    photos: { type: "string", default: "200" },
    rows: { type: "string", multiple: true, default: ["100000"] },
    "accuracy-level": { type: "string", multiple: true, default: ["0", "4"] },
    help: { type: "boolean", default: false },
  },
});

const benches: Record<string, () => Promise<void>> = {
  ops: () => benchOps({ rounds: rounds(7), only: values.only }),
  encoder: () => benchEncoder({ rounds: rounds(5), model: model(), dtypes: dtypes(), threads: threads(), revectorize: values.revectorize }),
  engines: () =>
    benchEngines({
      rounds: rounds(5), model: model(), only: values.only,
      dtypes: (values.dtype ?? ["int4", "int8", "bf16"]).map((dtype) => oneOf(["fp32", "bf16", "int8", "int4"] as const, "--dtype", dtype)),
    }),
  peers: () =>
    benchPeers({ rounds: rounds(5), model: model(), dtypes: dtypes(), threads: threads(), accuracyLevels: accuracyLevels() }),
  file: () => benchFile({ rounds: rounds(9) }),
  queue: () => benchQueue({ rounds: rounds(5), model: model(), dtype: dtypes()[0], threads: threads() }),
  search: () => benchSearch({ rows: values.rows.map((rows) => wholeNumber("--rows", rows)) }),
  bulk: () => values.memory ? benchBulkMemory({ counts: values.images.map((count) => wholeNumber("--images", count)), warm: 3000, side: 64, rounds: rounds(3) }) : benchBulk({ rounds: rounds(3), revectorize: values.revectorize }),
  page: () => benchPage({ rounds: rounds(1), photos: wholeNumber("--photos", values.photos) }),
  threads: () =>
    benchThreads({ rounds: rounds(21), model: model(), dtypes: dtypes(), threads: Math.max(2, threads()), revectorize: values.revectorize }),
  webgpu: () =>
    benchWebgpu({
      rounds: rounds(5), model: oneOf(WEBGPU_MODELS, "--model", values.model), dtypes: dtypes(),
      batches: values.batch.map((batch) => wholeNumber("--batch", batch)), out: values.out,
    }),
  weights: () => benchWeights({ rounds: rounds(5), model: model(), dtypes: dtypes() }),
  worker: () => benchWorker({ rounds: rounds(2), model: model(), dtypes: dtypes() }),
};

const bench = benches[positionals[0] ?? ""];
if (values.help || bench === undefined || positionals.length !== 1) {
  console.log(USAGE);
  process.exitCode = values.help ? 0 : 2;
} else {
  console.log(describeMachine());
  await bench();
}

function rounds(fallback: number): number {
  return values.rounds === undefined ? fallback : wholeNumber("--rounds", values.rounds);
}

function threads(): number {
  return wholeNumber("--threads", values.threads);
}

function accuracyLevels(): AccuracyLevel[] {
  return values["accuracy-level"].map((level) => oneOf(["0", "4"], "--accuracy-level", level));
}

function wholeNumber(option: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new TypeError(`${option} must be a whole number from 1 up, not ${value}.`);
  return number;
}

function model(): ModelName {
  return oneOf(MODELS, "--model", values.model);
}

function dtypes(): Dtype[] {
  return (values.dtype ?? ["int4"]).map((dtype) => oneOf(DTYPES, "--dtype", dtype));
}

function oneOf<T extends string>(known: readonly T[], option: string, value: string): T {
  const found = known.find((name) => name === value);
  if (found === undefined) throw new TypeError(`${option} must be one of ${known.join(", ")}, not ${value}.`);
  return found;
}
