/** A classifier from a collection of crops of photos: what is saved loads again, in every way, with the same logits. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { classifierFiles, filesAsModel, fitClassifier, folderLabels } from "../../../ts-api/src/collections/classifier.js";
import { Collection } from "../../../ts-api/src/collections/collection.js";
import { FeatureEncoder } from "../../../ts-api/src/collections/feature-encoder.js";
import { probabilities } from "../../../ts-api/src/classifiers/logistic.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { IJepaForImageClassification, loadImage, pipeline, type RawImage } from "../../../ts-api/src/index.js";
import { convertModel } from "../../../weights-tools/index.js";
import { sha256 } from "../../support/sha256.js";
import { temporaryFolder } from "./helpers.js";

const PHOTOS = { astronaut: "astronaut.png", cat: "chelsea.png", coffee: "coffee.png", rocket: "rocket.jpg" };
const CROPS = 12, SIDE = 120;

function crop({ data, width, channels }: RawImage, left: number, top: number): RawImage {
  const rows = Array.from({ length: SIDE }, (_, y) => new Uint8Array(data).subarray(((top + y) * width + left) * channels, ((top + y) * width + left + SIDE) * channels));
  return { data: new Uint8Array(Buffer.concat(rows)), width: SIDE, height: SIDE, channels };
}

const crops: { source: string; image: RawImage }[] = [];
for (const [label, file] of Object.entries(PHOTOS)) {
  const photo = await loadImage(`tests/goldens/images/files/${file}`), { width, height } = photo;
  for (let i = 0; i < CROPS; i++) crops.push({ source: `photos/${label}/${i}.png`, image: crop(photo, Math.floor(((width - SIDE) * (i % 4)) / 3), Math.floor(((height - SIDE) * (i >> 2)) / 2)) });
}

for (const layers of ["last", "last4"] as const) {
  const encoder = await FeatureEncoder.open(undefined, { layers }), collection = await Collection.inMemory(encoder.encoding), features = new Map<string, Float32Array>();
  after(() => encoder.dispose());
  for (const { source, image } of crops) {
    const { feature, digest } = await encoder.embedLoaded(image);
    features.set(source, feature);
    await collection.add([{ source, id: sha256(source), bytes: 1, modified: null, width: SIDE, height: SIDE, feature, digest }]);
  }
  const fit = await fitClassifier(collection, { labels: folderLabels }), files = await classifierFiles(fit, collection, encoder), saved = filesAsModel("my-classifier", files);

  test(`${layers}: better than means and neighbours, or not worse by a point`, (t) => {
    const { linear, means, neighbours, images, unlabelled, collection: root } = fit.report;
    t.diagnostic(`top 1: linear ${linear!.top1}, means ${means!.top1}, neighbours ${neighbours!.top1}`);
    assert.deepEqual([images, unlabelled], [48, 0]);
    assert.ok(linear!.top1 >= Math.max(means!.top1, neighbours!.top1) - 0.01);
    assert.match(root, /^[0-9a-f]{64}$/);
  });

  test(`${layers}: the layout is Hugging Face's, with a reference to the encoder`, () => {
    const config = JSON.parse(Buffer.from(files.get("config.json")!).toString()) as Record<string, unknown>;
    const golden = JSON.parse(readFileSync("tests/goldens/classifiers/classify-single/config.json", "utf8")) as Record<string, unknown>;
    assert.deepEqual(config["architectures"], golden["architectures"]);
    for (const field of ["id2label", "label2id", "model_type", "hidden_size", "patch_size"]) assert.equal(typeof config[field], typeof golden[field], field);
    assert.deepEqual(config["id2label"], { 0: "astronaut", 1: "cat", 2: "coffee", 3: "rocket" });
    assert.deepEqual(config["label2id"], { astronaut: 0, cat: 1, coffee: 2, rocket: 3 });
    assert.deepEqual(config["ijepa_encoder"], { name: null, revision: null, digest: encoder.encoding.encoder, dtype: "bf16", numerics: "1", layers });
  });

  test(`${layers}: the logits are those of the head, resident and streamed`, async () => {
    for (const resident of [true, false]) {
      const model = await IJepaForImageClassification.fromPretrained(saved, { resident });
      for (const { source, image } of crops.slice(0, 48).filter((_, i) => i % 11 === 0)) {
        const output = await model.forward(encoder.extractor.processor.preprocess(image)), { logits } = output;
        assert.equal("hiddenStates" in output, false);
        const powers = Array.from(logits.data, (logit) => Math.exp(logit - Math.max(...logits.data))), sum = powers.reduce((a, b) => a + b);
        probabilities(fit.head, features.get(source)!).forEach((p, c) => assert.ok(Math.abs(p - powers[c] / sum) < 1e-4, `${source}: ${p} ${powers[c] / sum}`));
      }
      await model.dispose();
    }
  });

  test(`${layers}: the pipeline takes it, and another encoding is refused by name`, async () => {
    const classify = await pipeline("image-classification", saved);
    const [{ label }] = await classify(crops[40].image);
    assert.equal(label, "rocket");
    await classify.dispose();
    const refused = (options: object, words: RegExp) =>
      assert.rejects(pipeline("image-classification", saved, options), (error) => isIJepaError(error, "collection/encoding") && words.test(error.message));
    await refused({ dtype: "int4" }, /weight format int4, not bf16/);
    const other = join(temporaryFolder(), "other");
    cpSync("models/demo", other, { recursive: true });
    const weights = readFileSync(join(other, "model.safetensors"));
    weights[weights.length - 2] ^= 0x40;
    writeFileSync(join(other, "model.safetensors"), weights);
    await refused({ encoder: other }, /encoder [0-9a-f]{12}, not/);
    await refused({ encoder: "tests/goldens/models/tiny" }, /another encoder than .*hiddenSize 64, not 192/);
  });
}

test("with everything in it: full, packed, and loaded from files", async () => {
  const encoder = await FeatureEncoder.open(undefined, { dtype: "int4" }), collection = await Collection.inMemory(encoder.encoding), folder = temporaryFolder();
  for (const { source, image } of crops) {
    const made = await encoder.embedLoaded(image);
    await collection.add([{ source, id: sha256(source), bytes: 1, modified: null, width: SIDE, height: SIDE, feature: made.feature, digest: made.digest }]);
  }
  const files = await classifierFiles(await fitClassifier(collection, { labels: folderLabels, C: 1 }), collection, encoder);
  const head = join(folder, "head"), full = join(folder, "full"), packed = join(folder, "packed"), pixels = encoder.extractor.processor.preprocess(crops[5].image);
  mkdirSync(head);
  for (const [name, bytes] of files) writeFileSync(join(head, name), bytes);
  const model = await IJepaForImageClassification.fromPretrained(head), expected = await model.forward(pixels);
  assert.equal(model.dtype, "int4");
  await model.savePretrained(full);
  assert.equal("ijepa_encoder" in (JSON.parse(readFileSync(join(full, "config.json"), "utf8")) as object), false);
  await convertModel(full, packed, { dtype: "int4" });
  for (const [ref, options] of [[full, { dtype: "int4" }], [packed, {}], [packed, { resident: false }]] as const) {
    const again = await IJepaForImageClassification.fromPretrained(ref, options);
    assert.equal((await again.forward(pixels)).numerics.digest, expected.numerics.digest);
    await again.dispose();
  }
  await model.dispose();
  await encoder.dispose();
});
