/**
 * The reference implementation's outputs (tests/goldens/README.md), on the oracle and on the CPU: bounds against its f64 run,
 * and the same words on both.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { openBackend } from "../../ts-api/src/backends/open.js";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { DTYPES, type Dtype } from "../../ts-api/src/core/numerics.js";
import type { EncodeResult } from "../../ts-api/src/encoder/encoder.js";
import { encodeOn, goldenOptions, meanCosine, MODELS, readTensors, relativeError, type Golden } from "../support/models.js";

/** Norm of the difference over norm, against the f64 outputs. */
const FP32_BOUND = 2e-5;
/** Errors that bf16 and int8 may have, in those of torch's bfloat16. */
const TORCH_ERRORS: Partial<Record<Dtype, number>> = { bf16: 1, int8: 3 };

const cases = readdirSync(MODELS).flatMap((folder) => readdirSync(`${MODELS}/${folder}/cases`).map((file) => [folder, file] as const));

for (const [folder, file] of cases) {
  for (const dtype of DTYPES) {
    test(`accuracy ${folder} ${file} ${dtype}`, async (t) => {
      const golden = await readTensors(`${MODELS}/${folder}/cases/${file}`);
      const pixels = golden.get("in.pixel_values")!, truth = golden.get("f64.last_hidden_state")!;
      const options = await goldenOptions(folder, file, golden);
      const result = await encodeOn(await openBackend("wasm"), `${MODELS}/${folder}`, dtype, pixels, options);
      const error = relativeError(result.lastHiddenState, truth.data);
      t.diagnostic(`relative error ${error.toExponential(2)}, mean cosine ${meanCosine(result.lastHiddenState, truth.data, truth.dims[2]).toFixed(6)}`);
      checkBounds(dtype, error, golden);
      if (dtype === "fp32") checkStates(result, golden);

      const oracle = await encodeOn(openOracle(), `${MODELS}/${folder}`, dtype, pixels, options);
      assert.deepEqual(result, oracle, "the CPU's words are not the oracle's");
    });
  }
}

test("every golden model has a case", () => {
  assert.equal(cases.length, 17);
});

function checkBounds(dtype: Dtype, error: number, golden: Map<string, Golden>): void {
  if (dtype === "fp32") assert.ok(error < FP32_BOUND, `fp32 error ${error}`);
  const times = TORCH_ERRORS[dtype];
  if (times === undefined) return;
  const torchError = relativeError(golden.get("bf16.last_hidden_state")!.data, golden.get("f64.last_hidden_state")!.data);
  assert.ok(torchError > 0 && error < times * torchError, `${dtype} error ${error}, torch's bf16 has ${torchError}`);
}

function checkStates({ hiddenStates, attentions }: EncodeResult, golden: Map<string, Golden>): void {
  for (const [name, truth] of golden) {
    const [, kind, index] = /^f64\.(hidden_states|attentions)\.(\d+)$/.exec(name) ?? [];
    if (kind === undefined) continue;
    const error = relativeError((kind === "attentions" ? attentions! : hiddenStates!)[Number(index)], truth.data);
    assert.ok(error < FP32_BOUND, `${name}: error ${error}`);
  }
}
