/** The pages: one file each, with pictures of photos that are there, and words for those that are not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fitHead, type LabelledFeature } from "../../../ts-api/src/classifiers/fit.js";
import type { ClassifierFit } from "../../../ts-api/src/collections/classifier.js";
import { fitPage } from "../../../ts-api/src/collections/fit-page.js";
import { duplicatesPage, searchPage } from "../../../ts-api/src/collections/results-page.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { sha256 } from "../../support/sha256.js";
import { numbers } from "./helpers.js";

const FILES = "tests/goldens/images/files", SMALL = `${FILES}/png-1x1.png`, ROCKET = `${FILES}/rocket.jpg`, CHELSEA = `${FILES}/chelsea.png`;
const count = (html: string, what: RegExp) => [...html.matchAll(what)].length;
const found = (sources: string[], score: number, more: object = {}) => ({ id: sha256(sources[0]), score, sources, width: 640, height: 427, ...more });

/** Nothing that a browser would fetch, and no text that is taken for HTML. */
function assertAlone(html: string): void {
  assert.doesNotMatch(html, /(src|href)="(?!data:image\/png;base64,)|url\(|@import/);
  assert.match(html, /default-src 'none'/);
}

test("search: the query, the results in their order, names without their common folder", async () => {
  const html = await searchPage(ROCKET, [found([ROCKET, CHELSEA], 1), found([`${FILES}/<i>"&.jpg`], 0.5)]);
  assertAlone(html);
  assert.equal(count(html, /<img /g), 2);
  assert.match(html, /<h1>Similar to rocket\.jpg<\/h1>/);
  assert.match(html, /1\. 1\.0000<\/b><span title="tests\/goldens\/images\/files\/rocket\.jpg">rocket\.jpg<\/span>/);
  assert.match(html, /cannot be read any more.*2\. 0\.5000<\/b><span title="[^"]*&#60;i&#62;&#34;&#38;\.jpg">&#60;i&#62;/);
  const byId = await searchPage("0".repeat(64), []);
  assert.match(byId, /Similar to photo 000000000000.*The collection is empty/);
  await assert.rejects(searchPage(ROCKET, [found([ROCKET], 1)], { signal: AbortSignal.abort() }), (error) => isIJepaError(error, "aborted"));
  await assert.rejects(searchPage(ROCKET, [], { grids: [1, 1] } as object), (error) => isIJepaError(error, "input/value"));
});

test("places that have no folder in common", async () => {
  const html = await searchPage(ROCKET, [found(["/photos/a.jpg", "b.jpg"], 1), found(["https://host.invalid/c.jpg"], 0.5), found(["/"], 0.4)]);
  assert.match(html, />\/photos\/a\.jpg<.*>b\.jpg<.*>https:\/\/host\.invalid\/c\.jpg</);
});

test("places like a patch are marked where they are", async () => {
  const html = await searchPage(ROCKET, [found([CHELSEA], 0.9, { patch: [3, 2] })], { grid: [4, 8], patch: [0, 3] });
  assert.deepEqual([...html.matchAll(/<i style="([^"]*)"/g)].map(([, style]) => style), ["left:0.00%;top:75.00%;width:12.50%;height:25.00%", "left:37.50%;top:50.00%;width:12.50%;height:25.00%"]);
  assert.match(html, /640 x 427, patch 3,2/);
});

test("duplicates: groups with what they share, and which one is the largest", async () => {
  const image = (sources: string[], width: number) => ({ id: sha256(sources.join()), sources, width, height: 100 });
  const html = await duplicatesPage("my/photos.collection/", [
    { images: [image([ROCKET], 100), image([CHELSEA], 200)], closest: 0.99, farthest: 0.99 },
    { images: [image(Array.from({ length: 8 }, (_, i) => `${i}.jpg`).concat(ROCKET), 50)], closest: 1, farthest: 1 },
  ]);
  assertAlone(html);
  assert.match(html, /Duplicates in photos\.collection<.*2 groups, 11 files/);
  assert.match(html, /Group 1 <span>2 photos, similarity 0\.9900<.*Group 2 <span>one file at several places<.*and 4 more places.*9 copies/s);
  assert.deepEqual([count(html, /largest/g), count(html, /<img /g)], [1, 3], "the picture is of the first place that can be read");
  assert.match(await duplicatesPage("x", []), /No photos are this similar/);
});

test("a page of very many photos stays small: the rest are named", async () => {
  const html = await searchPage("0".repeat(64), Array.from({ length: 510 }, (_, i) => found([SMALL], 1 - i / 1000)));
  assert.deepEqual([count(html, /<img /g), count(html, /<li /g), count(html, /Only the first 500 photos/g)], [500, 510, 1]);
});

/** A seventh of the images has the label of another class. */
async function fitted(classes: number, each: number, spread: number): Promise<ClassifierFit> {
  const images = Array.from({ length: classes * each }, (_, i): LabelledFeature => {
    const next = numbers(i + 1), own = i % classes;
    return { id: sha256(`image ${i}`), source: i % 2 === 0 ? ROCKET : `gone/${i}.jpg`, label: `<${(own + (i % 7 === 0 ? 1 : 0)) % classes}>`, feature: Float32Array.from({ length: 12 }, (_unused, k) => Math.sin((own + 1) * (k + 1)) + spread * next()) };
  });
  const fit = await fitHead(images);
  return { ...fit, report: { ...fit.report, collection: sha256("c"), images: images.length, unlabelled: 1, unreadable: 2 } };
}

test("a fit: what it reached, what it confuses, pictures of what it got wrong", async () => {
  const fit = await fitted(3, 30, 0.5), html = await fitPage("my-classifier", fit), { mistakes, linear } = fit.report;
  assertAlone(html);
  assert.equal(mistakes.length, Math.round(18 * (1 - linear!.top1)));
  assert.ok(mistakes.length > 0 && mistakes.every(({ label, answer }) => label !== answer));
  assert.deepEqual([...mistakes].sort((a, b) => b.probability - a.probability), mistakes);
  assert.equal(count(html, /% sure/g), mistakes.length);
  assert.match(html, /90 images of 3 classes; 18 held out.*1 place of the collection has no label\. 2 images could not be read/);
  assert.match(html, /Only 18 images were held out/);
  assert.equal(count(html, /<th scope="col"><span>&#60;\d&#62;<\/span>/g), 3);
  assert.match(html, /calibration error of the linear classifier \d+\.\d %/);
  for (const [own, row] of linear!.confusion.entries()) for (const [answer, number] of row.entries()) if (own !== answer && number > 0) assert.match(html, new RegExp(`&#60;${own}&#62;<td>&#60;${answer}&#62;<td>${number} of 6`));
});

test("a fit of many classes has its confusion as a picture, and one without a held-out part has none", async () => {
  const many = await fitPage("x", await fitted(44, 3, 0.5));
  assert.equal(count(many, /<img class="map" alt="Confusion of 44 classes as a picture"/g), 1);
  assert.ok(many.length < 400_000, `${many.length}`);
  const { report, ...rest } = await fitted(2, 5, 0.1), bare = { ...report, linear: undefined, means: undefined, neighbours: undefined, best: undefined, mistakes: [] };
  assert.match(await fitPage("x", { ...rest, report: bare }), /Images of each class/);
});
