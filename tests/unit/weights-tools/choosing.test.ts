/** The memory that docs/guides/choosing.md promises is what `estimate` says, for the sizes of the published models. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { IJepaConfig, type Dtype } from "../../../ts-api/src/index.js";
import { estimate } from "../../../weights-tools/estimate.js";

const HUGE = { hiddenSize: 1280, numHiddenLayers: 32, numAttentionHeads: 16, intermediateSize: 5120 };
const MODELS: Record<string, ConstructorParameters<typeof IJepaConfig>[0]> = {
  "ViT-B/16": { patchSize: 16, imageSize: 224 },
  "ViT-H/14": { ...HUGE, patchSize: 14, imageSize: 224 },
  "ViT-H/16, 448 x 448": { ...HUGE, patchSize: 16, imageSize: 448 },
  "ViT-g/16": { hiddenSize: 1408, numHiddenLayers: 40, numAttentionHeads: 16, intermediateSize: 6144, patchSize: 16, imageSize: 224 },
};

test("memory of the table", () => {
  const rows = [...readFileSync("docs/guides/choosing.md", "utf8").matchAll(/^\| (ViT[^|]*) \| `(\w+)` \| (\d+) \| (\d+) \|/gm)];
  assert.equal(rows.length, 12);
  for (const [, model, dtype, resident, streamed] of rows) {
    const config = new IJepaConfig(MODELS[model]), { gridHeight, patchHeight } = config, side = gridHeight * patchHeight;
    const memory = estimate(config, dtype as Dtype, 32, [side, side]);
    assert.deepEqual([Math.round(memory.resident / 1e6), Math.round(memory.streamed / 1e6)], [Number(resident), Number(streamed)], `${model} ${dtype}`);
  }
});
