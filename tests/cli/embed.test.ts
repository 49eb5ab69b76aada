/** `ijepa embed` of a few images: the table, JSON, digests, standard input. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { cosineSimilarity, DTYPES, NUMERICS_VERSION, pipeline, type Dtype, type Features } from "../../ts-api/src/index.js";
import { CHELSEA, ROCKET, SMALL, TINY, cells, ijepa, photo, succeed } from "./helpers.js";

interface Document {
  model: string;
  deviceDescription: string;
  pool: string;
  images: {
    file: string;
    width: number;
    height: number;
    dims: number[];
    milliseconds: number;
    numerics: { version: string; dtype: string; device: string; digest: string };
  }[];
  cosineSimilarity?: number;
}

/** What the library gives for CHELSEA and ROCKET. */
const library = new Map<Dtype, { none: Features[]; mean: Features[] }>();

before(async () => {
  for (const dtype of DTYPES) {
    const extract = await pipeline("image-feature-extraction", undefined, { dtype });
    library.set(dtype, { none: await extract([CHELSEA, ROCKET]), mean: await extract([CHELSEA, ROCKET], { pool: "mean" }) });
    await extract.dispose();
  }
});
after(() => library.clear());

function digest(dtype: Dtype, pool: "none" | "mean", image: number): string {
  return library.get(dtype)![pool][image].numerics.digest;
}

test("the table of two photos: file, size, model, dtype, device, shape, time, digest, and their similarity", async () => {
  const stdout = await succeed(["embed", CHELSEA, ROCKET]);
  const lines = stdout.split("\n");
  assert.deepEqual(cells(lines[0]), ["file", "size", "model", "dtype", "device", "tokens x width", "ms", "sha256"]);
  for (const [i, [file, size]] of [[CHELSEA, "451x300"], [ROCKET, "640x427"]].entries()) {
    const [time, sha256] = cells(lines[i + 1]).slice(6);
    assert.deepEqual(cells(lines[i + 1]).slice(0, 6), [file, size, "demo", "bf16", "wasm", "64x192"]);
    assert.match(time, /^\d+\.\d$/);
    assert.equal(sha256, digest("bf16", "none", i));
  }
  assert.match(stdout, /^(.+\n){3}\ncosine similarity: 0\.61\d{4}\n$/);
  const column = lines[0].indexOf("sha256");
  for (const line of lines.slice(1, 3)) assert.equal(line.slice(column - 2).search(/\S/), 2, "columns are aligned");
  assert.ok(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(stdout), "no control characters");
});

test("digests are the library's, with every option that computes", async () => {
  for (const [dtype, pool, threads] of [["fp32", "none", "1"], ["int4", "none", "2"], ["bf16", "mean", "auto"]] as const) {
    const lines = (await succeed(["embed", ROCKET, "--dtype", dtype, "--pool", pool, "--device", "wasm", "--threads", threads])).split("\n");
    assert.equal(lines.length, 3, "one image: no similarity");
    assert.deepEqual(cells(lines[1]).slice(3, 6), [dtype, "wasm", pool === "none" ? "64x192" : "1x192"]);
    assert.equal(cells(lines[1])[7], digest(dtype, pool, 1));
  }
});

test("--json prints one document, computed on all processors", async () => {
  const { images, deviceDescription, cosineSimilarity: similarity, ...rest } = JSON.parse(
    await succeed(["embed", CHELSEA, ROCKET, "--json", "--pool", "mean", "--dtype=int4"]),
  ) as Document;
  assert.deepEqual(rest, { model: "demo", pool: "mean" });
  const cores = availableParallelism();
  assert.match(deviceDescription, new RegExp(`^node \\d+.* ${cores} thread${cores === 1 ? "" : "s"}$`));
  const numerics = { version: NUMERICS_VERSION, dtype: "int4", device: "wasm" };
  assert.deepEqual(
    images.map(({ milliseconds, ...image }) => ({ ...image, timed: milliseconds > 0 })),
    [
      { file: CHELSEA, width: 451, height: 300, dims: [192], numerics: { ...numerics, digest: digest("int4", "mean", 0) }, timed: true },
      { file: ROCKET, width: 640, height: 427, dims: [192], numerics: { ...numerics, digest: digest("int4", "mean", 1) }, timed: true },
    ],
  );
  const [a, b] = library.get("int4")!.mean;
  assert.equal(similarity, cosineSimilarity(a, b));
});

test("with all tokens the similarity is that of their means", async () => {
  const { cosineSimilarity: actual } = JSON.parse(await succeed(["embed", CHELSEA, ROCKET, "--json"])) as Document;
  const [a, b] = library.get("bf16")!.mean;
  assert.equal(actual, cosineSimilarity(a, b));
});

test("three images: no similarity", async () => {
  const document = JSON.parse(await succeed(["embed", CHELSEA, ROCKET, SMALL, "--json"])) as Document;
  assert.deepEqual(document.images.map(({ width, dims }) => [width, dims]), [[451, [64, 192]], [640, [64, 192]], [1, [64, 192]]]);
  assert.ok(!("cosineSimilarity" in document));
});

test("- reads standard input, among others", async () => {
  const bytes = await readFile(ROCKET);
  const document = JSON.parse(await succeed(["embed", CHELSEA, "-", "--json"], bytes)) as Document;
  assert.deepEqual(
    document.images.map(({ file, width, numerics }) => [file, width, numerics.digest]),
    [[CHELSEA, 451, digest("bf16", "none", 0)], ["-", 640, digest("bf16", "none", 1)]],
  );
});

test("sizes are those of the upright image", async () => {
  // Stored as 151 x 101, turned by its EXIF orientation.
  assert.equal(cells((await succeed(["embed", photo("jpeg-exif6.jpg"), "--model", TINY])).split("\n")[1])[1], "101x151");
});

test("--model takes a folder, a file URL, and is named by its last part", async () => {
  const url = pathToFileURL(TINY).href;
  for (const [ref, name] of [[`${TINY}/`, "tiny"], [url, url]]) {
    const [, row] = (await succeed(["embed", ROCKET, "--model", ref])).split("\n");
    assert.equal(cells(row)[2], name);
  }
  const document = JSON.parse(await succeed(["embed", ROCKET, "--json", "--model", TINY])) as Document;
  assert.equal(document.model, TINY);
});

test("a bad image is reported and the others go on; the exit code is that of the first", async () => {
  const { code, stdout, stderr } = await ijepa(["embed", CHELSEA, photo("gif.gif"), "absent.png", ROCKET]);
  assert.equal(code, 3);
  assert.deepEqual(stdout.split("\n").slice(1, 3).map((line) => cells(line)[7]), [digest("bf16", "none", 0), digest("bf16", "none", 1)]);
  assert.ok(!stdout.includes("cosine"), "the two that are left were not asked to be compared");
  assert.match(stderr, /^ijepa: .*gif\.gif.* \[image\/unsupported\]\nijepa: .*absent\.png.* \[io\/read\]\n$/);

  const other = await ijepa(["embed", "absent.png", CHELSEA, photo("gif.gif"), "--json"]);
  assert.equal(other.code, 6);
  assert.deepEqual((JSON.parse(other.stdout) as Document).images.map(({ file }) => file), [CHELSEA]);
  const failures = other.stderr.trimEnd().split("\n").map((line) => (JSON.parse(line) as { error: Record<string, unknown> }).error);
  assert.deepEqual(
    failures.map(({ code: name, exitCode, file }) => [name, exitCode, file]),
    [["io/read", 6, "absent.png"], ["image/unsupported", 3, photo("gif.gif")]],
  );
});

test("when every image is bad nothing is printed on stdout", async () => {
  const { code, stdout } = await ijepa(["embed", "absent.png", photo("gif.gif")]);
  assert.deepEqual([code, stdout], [6, ""]);
});
