/**
 * What int8 is bounded by, on the first layers of ViT-H/14: bytes on disk, memory of converting, memory of a Worker that streams.
 * `npm run bench -- weights|worker --model vith14 --dtype int8` measures the whole model. 30 seconds.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { serveStorage } from "../../bench/worker/storage.js";
import { startWorker } from "../../bench/worker/workerd.js";
import { recipeConfig, writeRecipe } from "../../bench/support/models.js";
import type { Outcome } from "../../bench/weights/child.js";
import { pipeline } from "../../ts-api/src/index.js";
import { IJepaConfig } from "../../ts-api/src/config/config.js";
import { convertModel, inspectModel } from "../../weights-tools/index.js";

const LAYERS = 3, PHOTOS_IN_A_ROW = 10;
const PACKED_MB = 690, CONVERTING_MB = 500, WORKER_MB = 128;
/** The example's files in a Worker's assets may have 25 MiB each. */
const SHARD = 24 * 2 ** 20;

const whole = recipeConfig("vith14"), work = mkdtempSync(join(tmpdir(), "ijepa-memory-"));
const [source, packed, shards] = ["source", "packed", "shards"].map((name) => join(work, name));
const linux = process.platform === "linux" ? false : "memory is read from /proc, which only Linux has";
const noWorkerd = existsSync("tests/package/node_modules/workerd/package.json") ? linux : "tests/package is not installed";
let converting: Outcome;

before(async () => {
  await writeRecipe(new IJepaConfig({ ...whole, numHiddenLayers: LAYERS }), source);
  const { stdout, stderr, status } = spawnSync(process.execPath, ["build/bench/weights/child.js", "convert", "vith14", source, packed, "int8", "0"], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  converting = JSON.parse(stdout) as Outcome;
});
after(() => rmSync(work, { recursive: true, force: true }));

test("ViT-H/14 packed in int8 has at most 690 MB", async (t) => {
  const { tensors } = await inspectModel(packed), file = readdirSync(packed).reduce((sum, name) => sum + statSync(join(packed, name)).size, 0);
  const layer = tensors.filter(({ name }) => name.startsWith("encoder.layer.0.")).reduce((sum, { bytes }) => sum + bytes, 0);
  const matrices = 4 * whole.hiddenSize ** 2 + 2 * whole.hiddenSize * whole.intermediateSize;
  assert.ok(layer > matrices, `${layer} bytes for ${matrices} weights`);
  const megabytes = (file + (whole.numHiddenLayers - LAYERS) * layer) / 1e6;
  t.diagnostic(`${megabytes.toFixed(1)} MB`);
  assert.ok(megabytes < PACKED_MB, `${megabytes} MB`);
});

test("converting holds one matrix in f32 at a time: less than 500 MB", { skip: linux }, (t) => {
  t.diagnostic(`${converting.peak.toFixed(0)} MB`);
  assert.ok(converting.peak > 50 && converting.peak < CONVERTING_MB, `${converting.peak} MB`);
});

for (const store of ["BUCKET", "ASSETS"] as const) {
  test(`a Worker streams int8 within 128 MB, photo after photo, from ${store}`, { skip: noWorkerd }, async (t) => {
    if (!existsSync(shards)) await convertModel(packed, shards, { shardSize: SHARD });
    const photos = ["examples/photos/rocket.jpg", "examples/photos/chelsea.png"].map((path) => readFileSync(path));
    const extract = await pipeline("image-feature-extraction", shards, { device: "wasm" });
    const digests: string[] = [];
    for (const photo of photos) digests.push((await extract(photo, { pool: "mean", normalize: true })).numerics.digest);
    await extract.dispose();

    const storage = await serveStorage(shards), worker = await startWorker(store, storage.address, { DTYPE: "int8", LAYERS: "streamed" });
    try {
      await (await worker.fetch("/")).text();
      const idle = worker.resident();
      worker.forgetPeak();
      for (let i = 0; i < PHOTOS_IN_A_ROW; i++) {
        const response = await worker.fetch("/embed", { method: "POST", body: photos[i % 2] });
        const answer = (await response.json()) as { numerics?: { digest: string } };
        assert.equal(answer.numerics?.digest, digests[i % 2], JSON.stringify(answer).slice(0, 300));
      }
      const above = worker.peak() - idle;
      t.diagnostic(`${above.toFixed(0)} MB above an idle Worker`);
      assert.ok(above > 40 && above < WORKER_MB, `${above} MB`);
    } finally {
      worker.close();
      storage.close();
    }
  });
}
