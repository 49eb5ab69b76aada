/** `ijepa visualize`: each kind of picture is the one that the library draws. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { attentionMap, drawMap, drawSheet, encodePng, loadImage, pcaMap, pipeline, similarityMap, Tensor, type ModelOutput } from "../../ts-api/src/index.js";
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
    [["--opacity", "1", "--size", "700"], drawMap(image, pcaMap(last, columns), { opacity: 1, side: 700 })],
    [["--legend"], drawSheet([{ picture: drawMap(image, pcaMap(last, columns)) }], { text: "Patches of one colour look alike to the model." })],
    [["--kind", "attention", "--layer", "1", "--head", "2", "--patch", "1,1"], drawMap(image, attentionMap(attentions![0], columns, { head: 1, patch: [1, 1] }), { patch: [1, 1] })],
  ];
  await model.dispose();
  for (const [args, picture] of cases) {
    const text = await succeed(["visualize", ROCKET, "--model", TINY, "--dtype", "int4", "--out", out, ...args]);
    assert.equal(text, `${out}: ${args[0] === "--kind" ? args[1] : "pca"} of ${ROCKET}, ${picture.width}x${picture.height}\n`);
    assert.deepEqual(new Uint8Array(await readFile(out)), await encodePng(picture), args.join(" "));
  }
  const document = JSON.parse(await succeed(["visualize", "-", "--model", TINY, "--out", out, "--kind", "similarity", "--json"], await readFile(ROCKET))) as Record<string, unknown>;
  const { numerics, ...rest } = document;
  assert.deepEqual(rest, { file: "-", out, kind: "similarity", patch: [2, 2], width: 640, height: 427, model: TINY });
  assert.match((numerics as { digest: string }).digest, /^[0-9a-f]{64}$/);
  assert.deepEqual(await readdir(folder), ["map.png"]);
});

test("a sheet of all layers, and for attention of all heads; --layer and --head leave out the others", async (t) => {
  const out = join(await temporaryFolder(t), "sheet.png");
  const image = await loadImage(ROCKET), { model, processor } = await pipeline("image-feature-extraction", TINY);
  const { lastHiddenState: last, hiddenStates, attentions } = await model.forward(processor.preprocess(image), { outputAttentions: true, outputHiddenStates: true });
  const { gridWidth: columns, numHiddenLayers, numAttentionHeads } = model.config, small = { side: 240 };
  await model.dispose();
  const layers = Array.from({ length: numHiddenLayers }, (_, i) => i), heads = Array.from({ length: numAttentionHeads }, (_, i) => i);
  const states = [...layers.map((i) => ({ label: `layer ${i + 1}`, state: hiddenStates![i + 1] })), { label: "output", state: last }];
  const attended = (layer: number, head?: number) => ({ picture: drawMap(image, attentionMap(attentions![layer], columns, { head }), small), label: `layer ${layer + 1} ${head === undefined ? "mean" : `head ${head + 1}`}` });
  const cases: [args: string[], sheet: ReturnType<typeof drawSheet>][] = [
    [[], drawSheet(states.map(({ label, state }) => ({ picture: drawMap(image, pcaMap(state, columns), small), label })), { columns: Math.ceil(Math.sqrt(numHiddenLayers + 1)) })],
    [["--kind", "similarity", "--patch", "1,2", "--size", "100"], drawSheet(states.map(({ label, state }) => ({ picture: drawMap(image, similarityMap(state, columns, [1, 2]), { side: 100, patch: [1, 2] }), label })), { columns: Math.ceil(Math.sqrt(numHiddenLayers + 1)) })],
    [["--kind", "attention"], drawSheet(layers.flatMap((layer) => [attended(layer), ...heads.map((head) => attended(layer, head))]), { columns: numAttentionHeads + 1 })],
    [["--kind", "attention", "--layer", "1", "--head", "2"], drawSheet([attended(0, 1)])],
    [["--kind", "attention", "--layer", "1", "--head", "2", "--legend"], drawSheet([attended(0, 1)], { text: "How much attention each patch receives. Each picture has a scale of its own.", scale: ["least", "most"] })],
  ];
  for (const [args, sheet] of cases) {
    await succeed(["visualize", ROCKET, "--model", TINY, "--sheet", "--out", out, ...args]);
    assert.deepEqual(new Uint8Array(await readFile(out)), await encodePng(sheet), args.join(" "));
  }
});

test("photos side by side: components of all of them, likeness to a patch of the first", async (t) => {
  const out = join(await temporaryFolder(t), "both.png"), files = [ROCKET, photo("chelsea.png")], names = ["rocket.jpg", "chelsea.png"];
  const { model, processor } = await pipeline("image-feature-extraction", TINY), images = await Promise.all(files.map((file) => loadImage(file)));
  const outputs: ModelOutput[] = [];
  for (const image of images) outputs.push(await model.forward(processor.preprocess(image), { outputAttentions: true }));
  const { gridWidth: columns, hiddenSize } = model.config, data = Float32Array.from(outputs.flatMap(({ lastHiddenState }) => [...lastHiddenState.data]));
  await model.dispose();
  const all = new Tensor("float32", data, [data.length / hiddenSize, hiddenSize]);
  const halves = <T extends { data: Uint8Array | Uint8ClampedArray; height: number }>(map: T) => [0, 1].map((i) => ({ ...map, height: map.height / 2, data: map.data.subarray((i * map.data.length) / 2, ((i + 1) * map.data.length) / 2) }));
  const side = { side: 300 };
  const similarity = similarityMap(all, columns, [1, 1]), attention = outputs.map(({ attentions }) => attentionMap(attentions!.at(-1)!, columns));
  const cases: [args: string[], sheet: ReturnType<typeof drawSheet>][] = [
    [[], drawSheet(halves(pcaMap(all, columns)).map((map, i) => ({ picture: drawMap(images[i], map, side), label: names[i] })))],
    [
      ["--kind", "similarity", "--patch", "1,1", "--legend"],
      drawSheet(halves(similarity).map((map, i) => ({ picture: drawMap(images[i], map, { ...side, patch: i === 0 ? [1, 1] : undefined }), label: names[i] })), {
        text: "How much each patch looks like the framed one to the model.",
        scale: [similarity.least.toFixed(2), similarity.greatest.toFixed(2)],
      }),
    ],
    [["--kind", "attention"], drawSheet(attention.map((map, i) => ({ picture: drawMap(images[i], map, side), label: names[i] })))],
  ];
  for (const [args, sheet] of cases) {
    const text = await succeed(["visualize", ...files, "--model", TINY, "--out", out, "--size", "300", ...args]);
    assert.equal(text, `${out}: ${args[1] ?? "pca"} of ${files.join(", ")}, ${sheet.width}x${sheet.height}\n`);
    assert.deepEqual(new Uint8Array(await readFile(out)), await encodePng(sheet), args.join(" "));
  }
  const { images: listed, ...rest } = JSON.parse(await succeed(["visualize", ...files, "--model", TINY, "--out", out, "--json"])) as { images: { file: string; numerics: { digest: string } }[]; numerics?: object };
  assert.deepEqual(listed.map(({ file, numerics }) => [file, numerics.digest]), files.map((file, i) => [file, outputs[i].numerics.digest]));
  assert.equal(rest.numerics, undefined);
});

test("what cannot be drawn leaves no file", async (t) => {
  const folder = await temporaryFolder(t), out = join(folder, "map.png");
  const cases: [args: string[], code: number, message: RegExp][] = [
    [[ROCKET], 2, /needs --out FILE\.png/],
    [[ROCKET, "--out", join(folder, "map.npy")], 2, /must end in \.png/],
    [[ROCKET, "--out", out, "--head", "1"], 2, /--head is for --kind attention/],
    [[ROCKET, "--out", out, "--patch", "1,1"], 2, /--patch is for/],
    [[ROCKET, "--out", out, "--kind", "similarity", "--patch", "1"], 2, /--patch must be a column and a row, such as 3,5/],
    [[ROCKET, "--out", out, "--opacity", "2"], 2, /--opacity must be a number from 0 to 1, not "2"/],
    [[ROCKET, "--out", out, "--size", "0"], 2, /--size must be a whole number from 1 to 16384/],
    [[ROCKET, ROCKET, "--out", out, "--sheet"], 2, /--sheet takes one image, not 2/],
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
