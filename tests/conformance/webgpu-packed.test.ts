/** Packed files on WebGPU, resident and streamed: the digests of the demo model. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openWebgpu } from "../../ts-api/src/backends/webgpu/webgpu.js";
import { digestOf, type Dtype } from "../../ts-api/src/core/numerics.js";
import { Encoder } from "../../ts-api/src/encoder/encoder.js";
import { loadEncoder } from "../../ts-api/src/encoder/place-weights.js";
import { partsOf } from "../../ts-api/src/loading/pack-checkpoint.js";
import { seededPixels } from "../../ts-api/src/verify/verify.js";
import { openCheckpoint } from "../../ts-api/src/weights/checkpoint.js";
import { convertModel } from "../../weights-tools/index.js";
import { DEMO_MODEL } from "../support/models.js";
import { gpuHere } from "../support/webgpu.js";

const { gpu, reason } = await gpuHere();
const skip = gpu === undefined ? `not run: ${reason}` : false;

for (const dtype of ["bf16", "int8", "int4"] as const) {
  test(`webgpu: a packed model, ${dtype}`, { skip }, async () => {
    const recorded = JSON.parse(await readFile(`${DEMO_MODEL}/digests.json`, "utf8")) as Record<Dtype, string>;
    const folder = await mkdtemp(join(tmpdir(), "ijepa-webgpu-"));
    const backend = await openWebgpu({ gpu });
    try {
      await convertModel(DEMO_MODEL, folder, { dtype, shardSize: 2 ** 20 });
      const checkpoint = await openCheckpoint(folder), { config } = checkpoint;
      for (const resident of [true, false]) {
        const weights = await loadEncoder(backend, partsOf(checkpoint), { resident });
        const encoder = new Encoder(backend, config, dtype, weights, async () => {});
        for (let run = 0; run < 2; run++) {
          const { lastHiddenState } = await encoder.encode(seededPixels(config));
          assert.equal(await digestOf(lastHiddenState), recorded[dtype], resident ? "resident" : "streamed");
        }
      }
      await checkpoint.close();
    } finally {
      backend.dispose();
      await rm(folder, { recursive: true });
    }
  });
}
