/** Four-bit checkpoints that transformers saved with bitsandbytes (tests/goldens/README.md): their matrices bit for bit, and their outputs. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { openBackend } from "../../ts-api/src/backends/open.js";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { IJepaModel, Tensor } from "../../ts-api/src/index.js";
import type { EncodeResult } from "../../ts-api/src/encoder/encoder.js";
import { openCheckpoint } from "../../ts-api/src/weights/checkpoint.js";
import { BITSANDBYTES, encodeOn, encoderOn, pixelsOf, readTensors, relativeError, type Golden } from "../support/models.js";
import { sha256 } from "../support/sha256.js";

const FP32_BOUND = 2e-5;
const folders = readdirSync(BITSANDBYTES);

for (const folder of folders) {
  const path = `${BITSANDBYTES}/${folder}`, format = folder.includes("fp4") ? "fp4" : "nf4";

  test(`${folder}: the matrices that bitsandbytes decodes, bit for bit`, async () => {
    const digests = Object.entries(JSON.parse(readFileSync(`${path}/dequantized.json`, "utf8")) as Record<string, string>);
    const checkpoint = await openCheckpoint(path);
    for (const [name, digest] of digests) {
      assert.equal(sha256(await checkpoint.tensor(name)), digest, name);
    }
    await checkpoint.close();
    assert.equal(digests.length, 6);
  });

  test(`accuracy ${folder}: no farther from the exact output than transformers is`, async (t) => {
    const golden = await readTensors(`${path}/cases/plain.safetensors`), pixels = golden.get("in.pixel_values")!;
    const exact = golden.get("exact.last_hidden_state")!.data, bar = relativeError(golden.get("hf.last_hidden_state")!.data, exact);
    const run = async (dtype: "fp32" | typeof format) => (await encodeOn(await openBackend("wasm"), path, dtype, pixels)).lastHiddenState;
    const output = await run(format), error = relativeError(output, exact), fp32 = relativeError(await run("fp32"), exact);
    t.diagnostic(`relative error ${error.toExponential(2)}, transformers ${bar.toExponential(2)}, fp32 ${fp32.toExponential(2)}`);
    assert.ok(error <= bar, `error ${error}, transformers has ${bar}`);
    assert.ok(fp32 < FP32_BOUND, `fp32 error ${fp32}`);
    assert.deepEqual(output, (await encodeOn(openOracle(), path, format, pixels)).lastHiddenState, "the CPU's words are not the oracle's");
  });

  test(`${folder} is loaded in its own format`, async () => {
    const golden = await readTensors(`${path}/cases/plain.safetensors`), pixels = golden.get("in.pixel_values")!;
    const model = await IJepaModel.fromPretrained(path, { device: "wasm" });
    const { numerics, lastHiddenState } = await model.forward({ pixelValues: new Tensor("float32", pixels.data, pixels.dims) });
    assert.deepEqual([model.dtype, numerics.dtype], [format, format]);
    assert.deepEqual(lastHiddenState.data, (await expanded(path, format, pixels)).lastHiddenState, "the codes do not give the words of the matrices they stand for");
    assert.equal((model.config.toJSON()["quantization_config"] as Record<string, unknown>)["bnb_4bit_quant_type"], format);
    await model.dispose();
  });
}

/** The same weights, decoded to bf16 while they are packed, because their blocks are said to be of 16. */
async function expanded(path: string, format: "nf4" | "fp4", pixels: Golden): Promise<EncodeResult> {
  const checkpoint = await openCheckpoint(path), backend = await openBackend("wasm");
  const encoder = await encoderOn(backend, checkpoint.config, format, (name) => checkpoint.tensor(name), async (name) => {
    const matrix = await checkpoint.codes(name);
    if (matrix === undefined) return undefined;
    const { absmax, blocksize } = matrix, repeat = blocksize / 16;
    return { ...matrix, blocksize: 16, absmax: Float32Array.from({ length: absmax.length * repeat }, (_, i) => absmax[Math.floor(i / repeat)]) };
  });
  await checkpoint.close();
  return encoder.encode(pixelsOf(pixels));
}

test("every kind of checkpoint is there", () => {
  assert.equal(folders.length, 6);
});
