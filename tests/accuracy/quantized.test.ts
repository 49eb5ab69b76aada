/** int8 and int4 on trained weights: the demo model on four photos, beside nf4 (bitsandbytes, double quantization) of the same weights. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { openBackend } from "../../ts-api/src/backends/open.js";
import { Tensor } from "../../ts-api/src/core/tensor.js";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { Encoder } from "../../ts-api/src/encoder/encoder.js";
import { loadEncoder } from "../../ts-api/src/encoder/place-weights.js";
import { packParts, type QuantizeOptions } from "../../ts-api/src/loading/pack-checkpoint.js";
import type { Pixels } from "../../ts-api/src/encoder/pixels.js";
import { meanPool } from "../../ts-api/src/model/pooling.js";
import { openCheckpoint } from "../../ts-api/src/weights/checkpoint.js";
import { DEMO_MODEL, meanCosine, pixelsOf, readTensors } from "../support/models.js";

const PHOTOS = ["astronaut", "chelsea", "coffee", "rocket"];
const golden = await readTensors("tests/goldens/demo/photos.safetensors");
const nf4 = await distances("nf4");

/** 1 - cosine to the f64 run, mean over the photos: of tokens, and of mean-pooled features. */
async function distances(dtype: Dtype, options: QuantizeOptions = {}): Promise<{ tokens: number; pooled: number }> {
  const checkpoint = await openCheckpoint(DEMO_MODEL), { config } = checkpoint, backend = await openBackend("wasm");
  const weights = await loadEncoder(backend, packParts(config, dtype, (name) => checkpoint.tensor(name), undefined, options));
  await checkpoint.close();
  const encoder = new Encoder(backend, config, dtype, weights, async () => {});
  let tokens = 0, pooled = 0;
  for (const photo of PHOTOS) {
    const { lastHiddenState } = await encoder.encode(pixelsOf(golden.get(`${photo}.in.pixel_values`)!)), truth = golden.get(`${photo}.f64.last_hidden_state`)!;
    const pool = (data: Float32Array) => meanPool(new Tensor("float32", data, truth.dims)).data;
    tokens += (1 - meanCosine(lastHiddenState, truth.data, config.hiddenSize)) / PHOTOS.length;
    pooled += (1 - meanCosine(pool(lastHiddenState), pool(truth.data), config.hiddenSize)) / PHOTOS.length;
  }
  backend.dispose();
  return { tokens, pooled };
}

/** All of them, to calibrate with. */
function photos(): Pixels {
  const parts = PHOTOS.map((photo) => golden.get(`${photo}.in.pixel_values`)!), [, , height, width] = parts[0].dims;
  const data = new Float32Array(parts.length * parts[0].data.length);
  parts.forEach((part, i) => data.set(part.data, i * part.data.length));
  return { data, images: parts.length, height, width };
}

function report(t: TestContext, name: string, { tokens, pooled }: { tokens: number; pooled: number }): void {
  t.diagnostic(`${name}: cosine of tokens 1 - ${tokens.toExponential(2)}, pooled 1 - ${pooled.toExponential(2)}`);
}

test("int8 keeps a cosine of 0.9999 on the demo model, and better when it is calibrated", async (t) => {
  const int8 = await distances("int8"), calibrated = await distances("int8", { images: photos() });
  report(t, "int8", int8);
  report(t, "int8, calibrated", calibrated);
  assert.ok(int8.tokens < 2e-5 && int8.pooled < 1e-5);
  assert.ok(calibrated.tokens < int8.tokens);
});

test("int4 is closer to fp32 than nf4 on the demo model", async (t) => {
  const int4 = await distances("int4");
  report(t, "nf4", nf4);
  report(t, "int4", int4);
  assert.ok(int4.tokens < 0.75 * nf4.tokens && int4.pooled < 0.75 * nf4.pooled);
});

test("int4 with groups of 64 is close to it", async (t) => {
  const int4 = await distances("int4", { group: 64 });
  report(t, "int4, groups of 64", int4);
  assert.ok(int4.tokens < 1.2 * nf4.tokens && int4.pooled < 1.2 * nf4.pooled);
});

test("calibrating with photos brings it closer still", async (t) => {
  const plain = await distances("int4");
  const calibrated = await distances("int4", { images: photos() });
  report(t, "int4, calibrated", calibrated);
  assert.ok(calibrated.tokens < plain.tokens && calibrated.pooled < plain.pooled);
});
