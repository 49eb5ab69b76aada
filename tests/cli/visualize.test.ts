import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { attentionMap, drawMap, encodePng, loadImage, pcaMap, pipeline, similarityMap } from "../../ts-api/src/index.js";
import { ROCKET, TINY, ijepa, photo, succeed, temporaryFolder } from "./helpers.js";

test("every kind of picture is the one that the library draws", async (t) => {
  const folder = await temporaryFolder(t), out = join(folder, "map.png");
  const image = await loadImage(ROCKET), { model, processor } = await pipeline("image-feature-extraction", TINY, { dtype: "int4" });
  const output = await model.forward(processor.preprocess(image), { outputAttentions: true, outputHiddenStates: true });
  const { lastHiddenState: last, hiddenStates, attentions } = output, columns = model.config.gridWidth;
  const cases: [args: string[], picture: ReturnType<typeof drawMap>][] = [
    [[], drawMap(image, pcaMap(last, columns))],
    [["--kind", "pca", "--layer", "1"], drawMap(image, pcaMap(hiddenStates![1], columns))],
    [["--kind", "similarity"], drawMap(image, similarityMap(last, columns, [2, 2]), { patch: [2, 2] })],
    [["--kind", "similarity", "--patch", "0,3"], drawMap(image, similarityMap(last, columns, [0, 3]), { patch: [0, 3] })],
    [["--kind", "attention"], drawMap(image, attentionMap(attentions!.at(-1)!, columns))],
    [["--kind", "attention", "--layer", "1", "--head", "2", "--patch", "1,1"], drawMap(image, attentionMap(attentions![0], columns, { head: 1, patch: [1, 1] }), { patch: [1, 1] })],
  ];
  await model.dispose();
  for (const [args, picture] of cases) {
    const text = await succeed(["visualize", ROCKET, "--model", TINY, "--dtype", "int4", "--out", out, ...args]);
    assert.equal(text, `${out}: ${args[1] ?? "pca"} of ${ROCKET}, 640x427\n`);
    assert.deepEqual(new Uint8Array(await readFile(out)), await encodePng(picture), args.join(" "));
  }
  const document = JSON.parse(await succeed(["visualize", "-", "--model", TINY, "--out", out, "--kind", "similarity", "--json"], await readFile(ROCKET))) as Record<string, unknown>;
  const { numerics, ...rest } = document;
  assert.deepEqual(rest, { file: "-", out, kind: "similarity", patch: [2, 2], width: 640, height: 427, model: TINY });
  assert.match((numerics as { digest: string }).digest, /^[0-9a-f]{64}$/);
  assert.deepEqual(await readdir(folder), ["map.png"]);
});

test("what cannot be drawn leaves no file", async (t) => {
  const folder = await temporaryFolder(t), out = join(folder, "map.png");
  const cases: [args: string[], code: number, message: RegExp][] = [
    [[ROCKET], 2, /needs --out FILE\.png/],
    [[ROCKET, "--out", join(folder, "map.npy")], 2, /must end in \.png/],
    [[ROCKET, "--out", out, "--head", "1"], 2, /--head is for --kind attention/],
    [[ROCKET, "--out", out, "--patch", "1,1"], 2, /--patch is for/],
    [[ROCKET, "--out", out, "--kind", "similarity", "--patch", "1"], 2, /--patch must be a column and a row, such as 3,5/],
    [[ROCKET, "--out", out, "--kind", "heat"], 2, /--kind must be one of pca, similarity, attention/],
    [[ROCKET, "--out", out, "--kind", "similarity", "--patch", "4,0"], 7, /column from 0 to 3/],
    [[ROCKET, "--out", out, "--kind", "attention", "--layer", "99"], 7, /--layer must be from 1 to \d+/],
    [[ROCKET, "--out", out, "--kind", "attention", "--head", "99"], 7, /--head must be from 1 to \d+/],
    [[photo("gif.gif"), "--out", out], 3, /GIF/],
    [[ROCKET, "--out", join(folder, "absent/map.png")], 6, /Cannot write/],
  ];
  for (const [args, code, message] of cases) {
    const result = await ijepa(["visualize", ...args, "--model", TINY]);
    assert.deepEqual([result.code, result.stdout], [code, ""], args.join(" "));
    assert.match(result.stderr, message);
  }
  assert.deepEqual(await readdir(folder), []);
});
