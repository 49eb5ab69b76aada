/** The way from labelled features to a head and its report. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fitHead, type LabelledFeature } from "../../../ts-api/src/classifiers/fit.js";
import { probabilities } from "../../../ts-api/src/classifiers/logistic.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { numbers } from "../collections/helpers.js";
import { sha256 } from "../../support/sha256.js";

/** Classes that lie around points of their own, `spread` wide. */
function made(classes: number, each: number, spread: number, width = 12): LabelledFeature[] {
  return Array.from({ length: classes * each }, (_, i) => {
    const next = numbers(i + 1), own = i % classes;
    return { id: sha256(`image ${i}`), label: `class ${own}`, feature: Float32Array.from({ length: width }, (_unused, k) => Math.sin((own + 1) * (k + 1)) + spread * next()) };
  });
}

test("what is held out is not seen, is of every class, and the order of the images changes no bit", async () => {
  const images = made(4, 25, 1.2), result = await fitHead(images), again = await fitHead([...images].reverse());
  assert.deepEqual(again, result);
  const { report, head, labels } = result;
  assert.deepEqual(labels, ["class 0", "class 1", "class 2", "class 3"]);
  assert.deepEqual(report.labels.map(({ training, heldOut }) => [training, heldOut]), [[20, 5], [20, 5], [20, 5], [20, 5]]);
  assert.equal(report.linear!.confusion.flat().reduce((a, b) => a + b), 20);
  assert.ok(report.linear!.top1 >= Math.max(report.means!.top1, report.neighbours!.top1) - 0.1 && report.linear!.top1 > 0.7);
  assert.ok(report.linear!.calibrationError >= 0 && report.linear!.calibrationError <= 1);
  assert.equal(report.sweep.length, 6);
  assert.ok(head.gradient < 1e-6);
  assert.ok(Math.abs(probabilities(head, images[0].feature).reduce((a, b) => a + b) - 1) < 1e-12);
  const other = await fitHead(images, { seed: 1 });
  assert.notEqual(other.report.split, report.split);
});

test("of copies the first by name is reported, whatever their order", async () => {
  const images = made(2, 40, 4).flatMap((image, i) => [{ ...image, source: `b/${i}.jpg` }, { ...image, source: `a/${i}.jpg` }]);
  const { report } = await fitHead(images), again = await fitHead([...images].reverse());
  assert.deepEqual(again.report, report);
  assert.ok(report.mistakes.length > 0 && report.mistakes.every(({ source }) => source!.startsWith("a/")));
});

test("labels that say nothing are reported as such, not as knowledge", async () => {
  const images = made(2, 60, 1).map((image, i) => ({ ...image, label: `class ${i % 7 < 3 ? 0 : 1}`, feature: Float32Array.from({ length: 12 }, numbers(1000 + i)) }));
  const { report } = await fitHead(images);
  assert.ok(report.linear!.top1 < 0.8, `${report.linear!.top1}`);
});

test("a class with one image is fitted, and not held out; views are for training only", async () => {
  const images = [...made(2, 10, 0.5), { ...made(3, 1, 0.5)[2], id: sha256("alone"), label: "alone" }];
  const { report, labels } = await fitHead(images.map((image) => ({ ...image, views: [image.feature.map((v) => v + 0.01)] })));
  assert.deepEqual(labels, ["alone", "class 0", "class 1"]);
  assert.deepEqual(report.labels[0], { label: "alone", training: 1, heldOut: 0 });
  assert.equal(report.linear!.confusion.flat().reduce((a, b) => a + b), 4);
});

test("without a part that is held out there is one C and no measure", async () => {
  const { report, head } = await fitHead(made(2, 3, 0.5), { holdOut: 0, C: 2 });
  assert.equal(head.C, 2);
  assert.deepEqual([report.linear, report.means, report.neighbours, report.best, report.sweep], [undefined, undefined, undefined, undefined, []]);
});

test("what cannot be fitted is refused", async () => {
  const images = made(2, 5, 1), refused = (given: readonly LabelledFeature[], options: object, words: RegExp) =>
    assert.rejects(fitHead(given, options), (error) => isIJepaError(error) && error.code.startsWith("input/") && words.test(error.message));
  await refused([], {}, /there are none/);
  await refused(images.filter(({ label }) => label === "class 0"), {}, /only "class 0"/);
  await refused([...images, { ...images[0], label: "class 1" }], {}, /two labels/);
  await refused([{ ...images[0], source: "a/x.jpg" }, { ...images[0], label: "class 1", source: "b/y.jpg" }], {}, /two labels: "class 0" at a\/x\.jpg, and "class 1" at b\/y\.jpg\./);
  await refused([...images, { ...images[0], id: sha256("x"), feature: new Float32Array(3) }], {}, /12 finite/);
  await refused([...images, { ...images[0], id: sha256("x"), feature: new Float32Array(12).fill(NaN) }], {}, /12 finite/);
  for (const options of [{ C: 0 }, { C: [] }, { C: [1, -1] }, { holdOut: 1 }, { seed: 0.5 }, { holdOut: 0 }]) await refused(images, options, /must be/);
  await assert.rejects(fitHead(images, { signal: AbortSignal.abort() }), (error) => isIJepaError(error, "aborted"));
});
