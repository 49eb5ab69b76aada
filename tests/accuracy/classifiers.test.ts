/** Classification heads: the reference's logits and losses. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { DTYPES, IJepaForImageClassification, isIJepaError, Tensor } from "../../ts-api/src/index.js";
import { MODELS, readTensors, relativeError } from "../support/models.js";

const FOLDER = "tests/goldens/classifiers";
const FP32_BOUND = 2e-5;

for (const folder of readdirSync(FOLDER)) {
  for (const file of readdirSync(`${FOLDER}/${folder}/cases`)) {
    for (const dtype of DTYPES) {
      test(`accuracy ${folder} ${file} ${dtype}`, async (t) => {
        const golden = await readTensors(`${FOLDER}/${folder}/cases/${file}`);
        const model = await IJepaForImageClassification.fromPretrained(`${FOLDER}/${folder}`, { dtype });
        const pixels = golden.get("in.pixel_values")!, labels = golden.get("in.labels");
        const whole = folder === "classify-single";
        const labelTensor = labels && (whole ? new Tensor("int32", Int32Array.from(labels.data), labels.dims) : new Tensor("float32", labels.data, labels.dims));
        const { logits, loss } = await model.forward({ pixelValues: new Tensor("float32", pixels.data, pixels.dims), labels: labelTensor });
        const truth = golden.get("f64.logits")!, error = relativeError(logits.data, truth.data);
        assert.deepEqual(logits.dims, truth.dims);
        t.diagnostic(`relative error of the logits ${error.toExponential(2)}, loss ${loss}`);
        const torch = golden.get("bf16.logits");
        if (dtype === "fp32") assert.ok(error < FP32_BOUND, `fp32 error ${error}`);
        if (dtype === "bf16" && torch !== undefined) assert.ok(error < relativeError(torch.data, truth.data), `bf16 error ${error}`);
        if (dtype === "fp32" && labels !== undefined) {
          const wanted = golden.get("f64.loss")!.data[0];
          assert.ok(Math.abs(loss! - wanted) < FP32_BOUND * Math.abs(wanted), `loss ${loss}, the reference has ${wanted}`);
        }
        await model.dispose();
      });
    }
  }
}

test("a checkpoint without a head is refused, by name", async () => {
  await assert.rejects(IJepaForImageClassification.fromPretrained(`${MODELS}/tiny`), (error) => isIJepaError(error, "weights/missing") && /classifier\.weight/.test(error.message));
});

test("labels: -100 is ignored, classes beyond the last and wrong shapes are refused", async () => {
  const folder = `${FOLDER}/classify-single`;
  const model = await IJepaForImageClassification.fromPretrained(folder);
  const { data, dims } = (await readTensors(`${folder}/cases/loss.safetensors`)).get("in.pixel_values")!;
  const pixelValues = new Tensor("float32", data, dims);
  const lossOf = async (...labels: number[]) => (await model.forward({ pixelValues, labels: new Tensor("int32", Int32Array.from(labels), [labels.length]) })).loss!;
  assert.ok(Math.abs((await lossOf(3, -100)) + (await lossOf(-100, 3)) - 2 * (await lossOf(3, 3))) < 1e-12);
  assert.ok(Number.isNaN(await lossOf(-100, -100)));
  await assert.rejects(lossOf(3, 10), (error) => isIJepaError(error, "input/value"));
  await assert.rejects(lossOf(3), (error) => isIJepaError(error, "input/shape"));
});
