/** `npm run bench -- ops|encoder|peers`: see docs/performance.md. */
import { parseArgs } from "node:util";
import { DTYPES, type Dtype } from "../ts-api/src/core/numerics.js";
import { benchEncoder } from "./encoder/main.js";
import { benchOps } from "./ops/main.js";
import { benchPeers } from "./peers/main.js";
import { describeMachine } from "./support/machine.js";
import { MODELS, type ModelName } from "./support/models.js";

const USAGE = `npm run bench -- ops     [--rounds N] [--only TEXT]
npm run bench -- encoder [--rounds N] [--model vitb16|vith14] [--dtype fp32|bf16|int4]...
npm run bench -- peers   [--rounds N] [--model vitb16|vith14] [--dtype fp32|bf16|int4]...
With --node24, any of them runs in Node 24, which is installed first (relaxed SIMD).`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    only: { type: "string", default: "" },
    model: { type: "string", default: "vitb16" },
    dtype: { type: "string", multiple: true, default: ["int4"] },
    help: { type: "boolean", default: false },
  },
});

const benches: Record<string, () => Promise<void>> = {
  ops: () => benchOps({ rounds: roundsOr(7), only: values.only }),
  encoder: () => benchEncoder({ rounds: roundsOr(5), model: model(), dtypes: dtypes() }),
  peers: () => benchPeers({ rounds: roundsOr(5), model: model(), dtypes: dtypes() }),
};

const bench = benches[positionals[0] ?? ""];
if (values.help || bench === undefined || positionals.length !== 1) {
  console.log(USAGE);
  process.exitCode = values.help ? 0 : 2;
} else {
  console.log(describeMachine());
  await bench();
}

function roundsOr(fallback: number): number {
  const rounds = Number(values.rounds ?? fallback);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError(`--rounds must be a whole number from 1 up, not ${values.rounds}.`);
  return rounds;
}

function model(): ModelName {
  return oneOf(MODELS, "--model", values.model);
}

function dtypes(): Dtype[] {
  return values.dtype.map((dtype) => oneOf(DTYPES, "--dtype", dtype));
}

function oneOf<T extends string>(known: readonly T[], option: string, value: string): T {
  const found = known.find((name) => name === value);
  if (found === undefined) throw new TypeError(`${option} must be one of ${known.join(", ")}, not ${value}.`);
  return found;
}
