/** Letters, text and sheets of several pictures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawMap, drawSheet, isIJepaError, type RawImage, type RgbImage } from "../../../ts-api/src/index.js";
import { linesOf, shortened, textWidth, write } from "../../../ts-api/src/visualize/letters.js";

const flat = (width: number, height: number, grey: number): RawImage => ({ data: new Uint8Array(width * height).fill(grey), width, height, channels: 1 });
const at = ({ data, width }: RgbImage, x: number, y: number) => data[(y * width + x) * 3];

/** A line of text as it is read: dots that are inked are "#". */
function rowsOf(text: string): string[] {
  const width = textWidth(text, 1), paper = { data: new Uint8Array(width * 9 * 3).fill(255), width, height: 9 };
  write(paper, 0, 0, text, 1, 0);
  return Array.from({ length: 9 }, (_, y) => Array.from({ length: width }, (__, x) => (paper.data[(y * width + x) * 3] === 0 ? "#" : ".")).join(""));
}

test("letters: dots of a letter, what hangs below the line, a question mark for what there is not", () => {
  assert.deepEqual(rowsOf("Ag"), [
    ".###.......",
    "#...#......",
    "#...#..####",
    "#####.#...#",
    "#...#.#...#",
    "#...#.#...#",
    "#...#..####",
    "..........#",
    ".......###.",
  ]);
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
  assert.equal(new Set(printable.map((char) => rowsOf(char).join())).size, 95, "every letter is another");
  assert.deepEqual(rowsOf("é"), rowsOf("?"));
  assert.deepEqual(rowsOf("🙂"), rowsOf("?"));
});

test("letters: a size is the side of a dot; what lies beyond the paper is cut", () => {
  const paper = { data: new Uint8Array(8 * 20 * 3).fill(255), width: 8, height: 20 };
  write(paper, 0, 0, "AB", 2, 0);
  const dots = Array.from({ length: 8 }, (_, x) => paper.data[x * 3] === 0);
  assert.deepEqual(dots, [false, false, true, true, true, true, true, true]);
});

test("text: lines that fit, words that are too long, endings that are left out", () => {
  assert.equal(textWidth("abc", 2), 34);
  assert.deepEqual(linesOf("two words here", 53, 1), ["two words", "here"]);
  assert.deepEqual(linesOf("unbelievable word", 29, 1), ["unbel", "ievab", "le", "word"]);
  assert.deepEqual([shortened("photograph.jpg", 59, 1), shortened("photo", 29, 1), shortened("photograph", 5, 1)], ["photogr...", "photo", "."]);
});

test("a sheet: pictures in rows with space between them, as wide as the widest of their column", () => {
  const cells = [flat(20, 10, 10), flat(30, 10, 20), flat(40, 10, 30)].map((picture) => ({ picture }));
  const sheet = drawSheet(cells, { columns: 2 });
  assert.deepEqual([sheet.width, sheet.height, sheet.channels], [10 + 40 + 10 + 30 + 10, 10 + 10 + 10 + 10 + 10, 3]);
  assert.deepEqual([at(sheet, 10, 10), at(sheet, 30, 10), at(sheet, 60, 10), at(sheet, 10, 30), at(sheet, 60, 30), at(sheet, 0, 0)], [10, 255, 20, 30, 255, 255]);
  assert.equal(drawSheet(cells).height, 30);
});

test("a sheet: labels below pictures, text and a colour bar below all", () => {
  const picture = drawMap(flat(150, 50, 100), { data: Uint8Array.from([0, 255]), width: 2, height: 1, channels: 1 });
  const bare = drawSheet([{ picture }]), labelled = drawSheet([{ picture, label: "layer 1" }]), whole = drawSheet([{ picture }], { text: "How much each patch is attended to.", scale: ["least", "most"] });
  assert.ok(labelled.height > bare.height && whole.height > bare.height);
  const inked = ({ data }: RgbImage, from: number, width: number) => data.subarray(from * width * 3).some((value) => value === 30);
  assert.ok(inked(labelled, bare.height - 10, labelled.width) && inked(whole, bare.height, whole.width));
  // The bar runs from violet to yellow.
  const colours = new Set(Array.from({ length: whole.width * whole.height }, (_, i) => whole.data.subarray(i * 3, i * 3 + 3).join()));
  for (const end of ["68,1,84", "253,231,37"]) assert.ok(colours.has(end), end);
  assert.deepEqual(drawSheet([{ picture }], { text: undefined, scale: undefined }), bare);
});

test("a sheet: what cannot be is refused", () => {
  const picture = flat(4, 4, 0), any = (value: unknown) => value as never;
  for (const work of [() => drawSheet([]), () => drawSheet([{ picture }], { columns: 0 }), () => drawSheet(Array(70).fill({ picture: { data: new Uint8Array(4e6), width: 2000, height: 2000, channels: 1 } }))]) {
    assert.throws(work, (error) => isIJepaError(error, "input/value"));
  }
  for (const work of [() => drawSheet(any(picture)), () => drawSheet(any([picture])), () => drawSheet([any(7)]), () => drawSheet([{ picture, label: any(1) }]), () => drawSheet([{ picture }], { scale: any("least") }), () => drawSheet([{ picture }], { text: any(1) })]) {
    assert.throws(work, TypeError);
  }
  assert.throws(() => drawSheet([{ picture: { ...picture, data: new Uint8Array(3) } }]), (error) => isIJepaError(error, "input/shape"));
});
