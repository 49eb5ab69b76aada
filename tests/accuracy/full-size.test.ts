/** Models of published size, weights by recipe: the reference's f64 output is the truth, its bf16 run the bar for ours. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openBackend } from "../../ts-api/src/backends/open.js";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { IJepaConfig } from "../../ts-api/src/config/config.js";
import { meanPool } from "../../ts-api/src/model/pooling.js";
import { Tensor } from "../../ts-api/src/core/tensor.js";
import { encoderOn, meanCosine, readTensors, relativeError } from "../support/models.js";
import { recipePixels, recipeWeights } from "../support/recipe.js";

const FP32_BOUND = 5e-6;
const MODELS = ["vitb16", "vith14"];
/** Least cosine of tokens, and of mean-pooled features. int8 is promised to keep its; nf4's only catch a broken codec; int4 must be above nf4. */
const LEAST: Partial<Record<Dtype, { tokens: number; pool: number }>> = {
  int8: { tokens: 0.9998, pool: 0.9999 }, int4: { tokens: 0.988, pool: 0.987 }, nf4: { tokens: 0.97, pool: 0.97 },
};
/** nf4 and fp4 differ in a table, and their kernel in nothing but that. */
const FORMATS: Record<string, readonly Dtype[]> = { vitb16: ["fp32", "bf16", "int8", "int4", "nf4"], vith14: ["fp32", "bf16", "int8", "int4"] };

for (const model of MODELS) {
  const cosines: Partial<Record<Dtype, { tokens: number; pool: number }>> = {};
  for (const dtype of FORMATS[model]) {
    test(`accuracy ${model} ${dtype}`, async (t) => {
      const folder = `tests/goldens/full/${model}`;
      const config = IJepaConfig.fromJSON(JSON.parse(readFileSync(`${folder}/config.json`, "utf8")));
      const expected = await readTensors(`${folder}/expected.safetensors`);
      const truth = expected.get("last_hidden_state")!, torch = expected.get("bf16.last_hidden_state")!;
      const encoder = await encoderOn(await openBackend("wasm"), config, dtype, recipeWeights(config));
      const { lastHiddenState } = await encoder.encode(recipePixels(config));
      const error = relativeError(lastHiddenState, truth.data), torchError = relativeError(torch.data, truth.data);
      const pooled = (data: Float32Array) => meanPool(new Tensor("float32", data, truth.dims)).data;
      const tokens = meanCosine(lastHiddenState, truth.data, config.hiddenSize);
      const pool = meanCosine(pooled(lastHiddenState), pooled(truth.data), config.hiddenSize);
      t.diagnostic(`relative error ${error.toExponential(2)} (torch bf16 ${torchError.toExponential(2)}), cosine of tokens ${tokens.toFixed(5)}, pooled ${pool.toFixed(5)}`);
      if (dtype === "fp32") assert.ok(error < FP32_BOUND, `fp32 error ${error}`);
      if (dtype === "bf16") assert.ok(error < torchError, `bf16 error ${error}, torch's bf16 has ${torchError}`);
      cosines[dtype] = { tokens, pool };
      const least = LEAST[dtype], { int4 } = cosines;
      if (least !== undefined) assert.ok(tokens > least.tokens && pool > least.pool, `${dtype} cosine of tokens ${tokens}, pooled ${pool}`);
      if (dtype === "nf4" && int4 !== undefined) assert.ok(int4.tokens > tokens && int4.pool > pool, "int4 is not above nf4");
    });
  }
}
