/** `embedImages`: rows, failures and skipped images, their order, and how a job ends. */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { embedImages, type EmbedImagesOptions } from "../../../ts-api/src/bulk/embed.js";
import { findImages } from "../../../ts-api/src/bulk/files.js";
import type { BulkProgress } from "../../../ts-api/src/bulk/progress.js";
import type { BulkResult, BulkRow } from "../../../ts-api/src/bulk/results.js";
import type { Source } from "../../../ts-api/src/bulk/source.js";
import { DecodePool } from "../../../ts-api/src/decoding/pool.js";
import { IJepaImageProcessor, loadImage, meanPool, pipeline, type ImageFeatureExtractionPipeline } from "../../../ts-api/src/index.js";
import { fails } from "../image/helpers.js";
import { sha256 } from "../../support/sha256.js";

const FOLDER = "tests/goldens/images/files";
const PHOTOS = ["rocket.jpg", "jpeg-420.jpg", "webp-lossy.webp", "png-palette.png", "jpeg-exif6.jpg", "png-1x1.png", "chelsea.png", "jpeg-gray.jpg", "png-rgba.png"];
const paths = PHOTOS.map((name) => `${FOLDER}/${name}`);

let extract: ImageFeatureExtractionPipeline;
const decoders = new DecodePool({ threads: 2 });
before(async () => {
  extract = await pipeline("image-feature-extraction", "tests/goldens/models/tiny", { dtype: "int4" });
});
after(async () => {
  await extract.dispose();
  await decoders.close();
});

async function collect(sources: AsyncIterable<Source> | Iterable<Source>, options: EmbedImagesOptions = {}, extractor = extract): Promise<BulkResult[]> {
  const results: BulkResult[] = [];
  for await (const result of embedImages(extractor, sources, { decoders, ...options })) results.push(result);
  return results;
}

test("rows are those of the pipeline, in the order of the sources, whatever the batch and what is ahead", async () => {
  const expected = await extract(paths, { pool: "mean" });
  for (const [batchSize, ahead] of [[1, 1], [3, 2], [8, 100], [undefined, undefined]] as const) {
    const rows = (await collect(paths, { batchSize, ahead })) as BulkRow[];
    assert.deepEqual(rows.map(({ kind, source, digest }) => [kind, source, digest]), paths.map((path, i) => ["row", path, expected[i].numerics.digest]));
    for (const [i, { id, bytes, modified, width, height, dims, feature }] of rows.entries()) {
      const file = readFileSync(paths[i]);
      assert.equal(id, sha256(file));
      assert.deepEqual([bytes, modified], [file.length, statSync(paths[i]).mtimeMs]);
      assert.deepEqual(dims, [64]);
      assert.deepEqual(feature, expected[i].data);
      assert.ok(width > 0 && height > 0);
    }
  }
});

test("pools and layers", async () => {
  const none = (await collect(paths.slice(0, 2), { pool: "none", normalize: true })) as BulkRow[];
  const tokens = await extract(paths.slice(0, 2), { pool: "none", normalize: true });
  assert.deepEqual(none.map(({ digest, dims }) => [digest, dims]), tokens.map(({ numerics, dims }) => [numerics.digest, dims.slice(1)]));

  assert.ok(extract.model.config.numHiddenLayers < 4);
  await fails(() => collect(paths, { layers: "last4" }), "input/value");
  const deep = await pipeline("image-feature-extraction", undefined, { dtype: "int4" });
  try {
    const [row] = (await collect(paths.slice(0, 1), { layers: "last4" }, deep)) as BulkRow[];
    const output = await deep.model.forward(deep.processor.preprocess(await loadImage(paths[0])), { outputHiddenStates: true });
    const last = output.hiddenStates!.slice(-4).map((state) => meanPool(state).data);
    assert.deepEqual(row.feature, Float32Array.from(last.flatMap((part) => [...part])));
  } finally {
    await deep.dispose();
  }
});

test("what programs give in the place of bytes, or throw that is no error, is a failure in words", async () => {
  const reads = [async () => null, async () => "text", async () => new ArrayBuffer(8), () => ({ then: (_: unknown, reject: (reason: unknown) => void) => reject("no error") })];
  const results = await collect(reads.map((read, i) => ({ name: `${i}`, read: read as never })));
  assert.deepEqual(results.map(({ kind }) => kind), reads.map(() => "failure"));
  const messages = results.map((one) => (one as { message: string }).message);
  for (const message of messages.slice(0, 3)) assert.match(message, /read\(\) of \d gives must be the bytes of a file as a Uint8Array, not /);
  assert.equal(messages[3], "no error");
});

test("a bad image is a failure at its place, and never the end", async () => {
  const sources = [`${FOLDER}/gif.gif`, paths[0], "absent.png", { name: "broken", read: async () => { throw new RangeError("a bug"); } }, paths[1], FOLDER];
  const results = await collect(sources);
  assert.deepEqual(
    results.map((one) => [one.kind, one.kind === "failure" ? one.code : one.source]),
    [["failure", "image/unsupported"], ["row", paths[0]], ["failure", "io/read"], ["failure", "unexpected"], ["row", paths[1]], ["failure", "io/read"]],
  );
});

test("an image that does not fit the model is a failure", async () => {
  const { model } = extract, processor = new IJepaImageProcessor({ doResize: false });
  const results = await collect([paths[0], paths[5]], {}, { model, processor } as ImageFeatureExtractionPipeline);
  assert.deepEqual(results.map((one) => one.kind === "failure" && one.code), ["input/shape", "input/shape"]);
});

test("known images are not read, and known files not decoded", async () => {
  const reads: string[] = [];
  const sources = [0, 1, 2].map((i): Source => ({
    name: `photo ${i}`,
    look: async () => ({ bytes: 7, modified: i }),
    read: async () => (reads.push(`photo ${i}`), i === 1 ? new Uint8Array(7) : new Uint8Array(readFileSync(paths[0]))),
  }));
  const results = await collect(sources, {
    known: (source, bytes, modified) => source === "photo 0" && bytes === 7 && modified === 0,
    skip: async (id) => id === sha256(new Uint8Array(7)),
  });
  assert.deepEqual(reads, ["photo 1", "photo 2"]);
  assert.deepEqual(results.map(({ kind }) => kind), ["skip", "skip", "row"]);
  assert.deepEqual(results[0], { kind: "skip", source: "photo 0", id: undefined, bytes: 7, modified: 0 });
  assert.deepEqual(results[1], { kind: "skip", source: "photo 1", id: sha256(new Uint8Array(7)), bytes: 7, modified: 1 });
});

test("what hooks and sources throw ends the job, after what came before it", async () => {
  const odd = new Error("odd");
  await assert.rejects(collect(paths, { skip: () => { throw odd; } }), odd);
  await assert.rejects(collect(paths, { known: async () => { throw odd; } }), odd);
  const seen: string[] = [];
  async function* sources() {
    yield paths[0];
    throw odd;
  }
  await assert.rejects(async () => {
    for await (const { source } of embedImages(extract, sources(), { decoders })) seen.push(source);
  }, odd);
  assert.deepEqual(seen, [paths[0]]);
});

test("images that come one by one are answered one by one", async () => {
  let answered = 0;
  async function* sources() {
    for (const [i, path] of paths.slice(0, 3).entries()) {
      while (answered < i) await new Promise((resolve) => setImmediate(resolve));
      yield path;
    }
  }
  for await (const { source } of embedImages(extract, sources(), { decoders })) assert.equal(source, paths[answered++]);
  assert.equal(answered, 3);
});

test("no more than `ahead` images are read ahead of what was taken, and leaving the loop ends the job", async () => {
  let begun = 0, taken = 0, most = 0, returned = false;
  function* sources(): Generator<string> {
    try {
      for (;;) {
        begun++;
        yield paths[5];
      }
    } finally {
      returned = true;
    }
  }
  for await (const _ of embedImages(extract, sources(), { decoders, ahead: 4, batchSize: 2 })) {
    void _;
    most = Math.max(most, begun - taken);
    if (++taken === 40) break;
  }
  // Four that are ahead, two of a batch, and the one that is asked for.
  assert.ok(most <= 8, `${most}`);
  assert.ok(returned);
});

test("an abort ends it, also while it waits for a source that never comes", async () => {
  const controller = new AbortController();
  async function* sources() {
    yield paths[0];
    await new Promise(() => undefined);
  }
  await fails(async () => {
    for await (const _ of embedImages(extract, sources(), { decoders, signal: controller.signal })) {
      void _;
      setImmediate(() => controller.abort());
    }
  }, "aborted");
  await fails(() => collect(paths, { signal: AbortSignal.abort() }), "aborted");
});

test("progress: what is done, how, how fast, and what is left", async () => {
  const reports: number[][] = [];
  let last: BulkProgress | undefined;
  await collect([...paths, "absent.png"], {
    batchSize: 4,
    skip: (id) => id === sha256(new Uint8Array(readFileSync(paths[1]))),
    onProgress: (progress) => {
      reports.push([progress.done, progress.computed, progress.skipped, progress.failed, progress.total!]);
      last = progress;
    },
  });
  assert.deepEqual(reports.at(-1), [10, 8, 1, 1, 10]);
  assert.ok(reports.length >= 2);
  const { rate, secondsLeft, source } = last!;
  assert.ok(rate > 0 && secondsLeft === 0 && source === "absent.png");
});

test("rows of damaged files carry warnings; strict makes them failures", async () => {
  const cut = { name: "cut.png", read: () => Promise.resolve(new Uint8Array(readFileSync(`${FOLDER}/png-palette.png`).subarray(0, -12))) };
  const [damaged, whole] = (await collect([cut, `${FOLDER}/png-palette.png`])) as BulkRow[];
  assert.deepEqual([damaged.warnings, whole.warnings, damaged.digest], [["it has no end marker"], [], whole.digest]);
  const [failed] = await collect([cut], { strict: true });
  assert.ok(failed.kind === "failure" && failed.code === "image/corrupt");
});

test("the time limit of downloads reaches what reads", async () => {
  const seen: unknown[] = [];
  const source = { name: "x", read: (_: AbortSignal, options?: object) => (seen.push(options), Promise.reject(new Error("no"))) };
  await collect([source], { timeout: 5 });
  assert.deepEqual(seen, [{ timeout: 5 }]);
  const stalling = createServer(() => undefined).listen(0, "127.0.0.1");
  await new Promise((resolve) => stalling.once("listening", resolve));
  const [late] = await collect([`http://127.0.0.1:${(stalling.address() as AddressInfo).port}/photo.jpg`], { timeout: 100 });
  assert.ok(late.kind === "failure" && late.code === "io/read" && late.message.includes("within 0.1 s"), JSON.stringify(late));
  stalling.close();
  stalling.closeAllConnections();
});

test("unknown options are refused by name, with the one that was meant", async () => {
  const cases: [call: () => unknown, says: RegExp][] = [
    [() => collect(paths, { pooling: "first" } as EmbedImagesOptions), /embedImages has no option "pooling"; did you mean "pool"/],
    [() => collect(paths, { batch_size: 2 } as EmbedImagesOptions), /"batch_size"; did you mean "batchSize"/],
    [() => new DecodePool({ thread: 2 } as object), /DecodePool has no option "thread"; did you mean "threads"/],
    [() => decoders.decode(new Uint8Array(3), { max_pixels: 5 } as object), /"max_pixels"; did you mean "maxPixels"/],
    [() => findImages("x", { recurse: true } as object).next(), /findImages has no option "recurse"/],
    [() => extract(paths[0], { timeouts: 5 } as object), /"timeouts"; did you mean "timeout"/],
  ];
  for (const [call, says] of cases) await fails(call, "input/value", says);
});

test("options that cannot be are refused before anything is read", async () => {
  for (const options of [{ ahead: 0 }, { batchSize: 1.5 }, { pool: "max" }, { layers: "first" }, { normalize: 1 }]) {
    await fails(() => collect(paths, options as EmbedImagesOptions), "input/value");
  }
  await assert.rejects(collect([7 as unknown as string]), TypeError);
});
