/** `calibrate`: int4 made by looking at the images of a folder. */
import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { IJepaImageProcessor, IJepaModel, loadImage } from "../../../ts-api/src/index.js";
import { MAX_IMAGES } from "../../../ts-api/src/calibrate/calibration-images.js";
import { partsOf } from "../../../ts-api/src/loading/pack-checkpoint.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { compareModels, convertModel, inspectModel } from "../../../weights-tools/index.js";
import { DEMO_MODEL, MODELS } from "../../support/models.js";
import { sha256 } from "../../support/sha256.js";
import { everyPart, inNewFolder, loadParts, readHeader } from "./helpers.js";

const FILES = "tests/goldens/images/files";
const PHOTOS = ["astronaut.png", "coffee.png", "rocket.jpg"];
/** Not among them. */
const OTHER = `${FILES}/chelsea.png`;

/** A folder with the photos, a text, a damaged image and a folder. */
function withPhotos<T>(work: (photos: string, target: string) => Promise<T>): Promise<T> {
  return inNewFolder(async (path) => {
    const photos = `${path}-photos`;
    await mkdir(join(photos, "below"), { recursive: true });
    for (const name of PHOTOS) await copyFile(`${FILES}/${name}`, join(photos, name));
    await copyFile(OTHER, join(photos, "below/chelsea.png"));
    await writeFile(join(photos, "notes.txt"), "taken in May");
    await writeFile(join(photos, "cut.jpg"), (await readFile(`${FILES}/rocket.jpg`)).subarray(0, 200));
    return work(photos, path);
  });
}

test("the bits of the library's own path, given the same images; on another photo closer to fp32 than with synthetic images, and than nf4", (t) =>
  withPhotos(async (photos, target) => {
    const { calibration } = await convertModel(DEMO_MODEL, target, { calibrate: photos });
    assert.deepEqual(calibration?.names, PHOTOS);
    const [text, damaged, ...others] = calibration.leftOut;
    assert.match(text, /notes\.txt is not a PNG, JPEG or WebP image/);
    assert.match(damaged, /cut\.jpg/);
    assert.deepEqual(others, []);

    const processor = await IJepaImageProcessor.fromPretrained(DEMO_MODEL);
    const { data, dims } = processor.preprocess(await Promise.all(PHOTOS.map((name) => loadImage(`${FILES}/${name}`)))).pixelValues;
    const checkpoint = await openCheckpoint(DEMO_MODEL), images = { data, images: dims[0], height: dims[2], width: dims[3] };
    const expected = await everyPart(partsOf(checkpoint, { dtype: "int4", images }));
    await checkpoint.close();
    assert.deepEqual(await loadParts(target), expected);
    assert.notDeepEqual(await loadParts(DEMO_MODEL, { dtype: "int4" }), expected);

    const distance = async (b: string, dtypeB: "int4" | "nf4") => {
      const { tokens, pooled } = await compareModels(DEMO_MODEL, b, [OTHER], { dtypeB, device: "wasm" });
      return [1 - tokens.mean, 1 - pooled.mean];
    };
    const calibrated = await distance(target, "int4"), synthetic = await distance(DEMO_MODEL, "int4"), nf4 = await distance(DEMO_MODEL, "nf4");
    for (const [name, [tokens, pooled]] of Object.entries({ calibrated, synthetic, nf4 })) {
      t.diagnostic(`${name}: cosine of tokens 1 - ${tokens.toExponential(2)}, pooled 1 - ${pooled.toExponential(2)}`);
    }
    assert.ok(calibrated.every((value, i) => value < 0.75 * nf4[i] && value < synthetic[i]));
  }));

test("the files say so, also when they are cut into shards later", () =>
  withPhotos(async (photos, target) => {
    await convertModel(DEMO_MODEL, target, { calibrate: photos });
    await convertModel(target, `${target}-cut`, { shardSize: 2 ** 20 });
    const hashes = await Promise.all(PHOTOS.map(async (name) => `${sha256(await readFile(`${FILES}/${name}`))}  ${name}\n`));
    const digest = sha256(hashes.join(""));
    for (const file of [`${target}/model.safetensors`, `${target}-cut/model-00002.safetensors`]) {
      const { __metadata__: metadata } = (await readHeader(file)).header;
      assert.deepEqual([metadata["ijepa.calibration_images"], metadata["ijepa.calibration_sha256"]], ["3", digest]);
    }
    assert.deepEqual((await inspectModel(`${target}-cut`)).packed?.calibration, { images: 3, digest });
    assert.deepEqual(await loadParts(`${target}-cut`), await loadParts(target));
    await assert.rejects(convertModel(target, `${target}-again`, { calibrate: photos }), { code: "input/value", message: /in int4 already/ });
  }));

test("of many images some are looked at, whatever their sizes", () =>
  inNewFolder(async (path) => {
    const photos = `${path}-photos`, bytes = await readFile(`${FILES}/png-1x1.png`);
    await mkdir(photos);
    for (let i = 0; i < 2 * MAX_IMAGES + 1; i++) await writeFile(join(photos, `${1000 + i}.png`), bytes);
    const { calibration } = await convertModel(DEMO_MODEL, path, { calibrate: photos });
    assert.equal(calibration?.images, MAX_IMAGES);
    assert.deepEqual(calibration.names.slice(0, 2), ["1000.png", "1002.png"]);
    const model = await IJepaModel.fromPretrained(path);
    assert.equal(model.dtype, "int4");
    await model.dispose();
  }));

test("what cannot be calibrated is refused, and nothing is left", () =>
  withPhotos(async (photos, target) => {
    const cases: [string, string, { dtype?: "bf16"; calibrate: string }, RegExp][] = [
      [DEMO_MODEL, "bf16", { dtype: "bf16", calibrate: photos }, /is for int8 and int4, not for bf16/],
      ["tests/goldens/bitsandbytes/like-vith14-nf4-dq", "nf4", { calibrate: photos }, /is for int8 and int4, not for nf4/],
      [DEMO_MODEL, "no folder", { calibrate: `${photos}/none` }, /There is no folder/],
      [DEMO_MODEL, "a file", { calibrate: `${photos}/rocket.jpg` }, /There is no folder/],
      [`${MODELS}/tiny`, "no image", { calibrate: DEMO_MODEL }, /There is no image/],
    ];
    for (const [source, what, options, message] of cases) {
      await assert.rejects(convertModel(source, target, options), { code: "input/value", message }, what);
      await assert.rejects(readFile(join(target, "config.json")));
    }
  }));
