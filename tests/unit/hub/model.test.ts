/** Models, image processors and pipelines by name: the same bits as from the folder. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { AutoImageProcessor, AutoModel, IJepaImageProcessor, IJepaModel, pipeline, type ProgressInfo } from "../../../ts-api/src/index.js";
import { failure } from "../weights/helpers.js";
import { openBench, REPO } from "./helpers.js";

const FOLDER = "models/demo";
const PHOTO = "examples/photos/chelsea.png";
const FILES = ["config.json", "preprocessor_config.json", "model.safetensors"];

test("fromPretrained, pipeline and the processors take a name, and give the bits of the folder", async (t) => {
  const { hub } = await openBench(t, Object.fromEntries(await Promise.all(FILES.map(async (name) => [name, new Uint8Array(await readFile(`${FOLDER}/${name}`))] as const))));
  const told: ProgressInfo[] = [];
  const named = await pipeline("image-feature-extraction", REPO, { progress_callback: (info) => void told.push(info) });
  const local = await pipeline("image-feature-extraction", FOLDER);
  const [a, b] = [await named(PHOTO, { pool: "mean" }), await local(PHOTO, { pool: "mean" })];
  assert.equal(a.numerics.digest, b.numerics.digest);
  await Promise.all([named.dispose(), local.dispose()]);

  for (const file of FILES) {
    const statuses = told.filter((info) => info.file === file).map(({ status }) => status);
    assert.deepEqual([...new Set(statuses)], ["initiate", "download", "progress", "done"], file);
  }
  assert.deepEqual([told[0].status, told[0].file], ["initiate", undefined]);
  assert.equal(told.at(-1)?.status, "ready");
  assert.ok(told.every(({ name, progress }) => name === REPO && progress >= 0 && progress <= 100));

  await hub.stop();
  const offline = { local_files_only: true };
  for (const Model of [IJepaModel, AutoModel]) await (await Model.fromPretrained(REPO, offline)).dispose();
  const processor = await IJepaImageProcessor.fromPretrained(REPO, offline);
  assert.deepEqual(processor.toConfig(), (await AutoImageProcessor.fromPretrained(FOLDER)).toConfig());
  await failure("hub/offline", () => IJepaImageProcessor.fromPretrained("someone/else", offline));
  await failure("hub/offline", () => IJepaModel.fromPretrained(REPO, { ...offline, revision: "v2" }));
});

test("a model without what it needs says what the Hub lacks", async (t) => {
  const { hub, cache } = await openBench(t, { "config.json": new Uint8Array(await readFile(`${FOLDER}/config.json`)) });
  const error = await failure("weights/missing", () => IJepaModel.fromPretrained(REPO));
  assert.match(error.message, new RegExp(`${hub.endpoint}/${REPO}/resolve/[0-9a-f]{40}/model\\.safetensors`));
  hub.files.clear();
  assert.match((await failure("config/missing", () => IJepaModel.fromPretrained(REPO, { cache_dir: join(cache, "empty") }))).message, /config\.json/);
});
