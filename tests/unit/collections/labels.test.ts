/** Tables of labels as people and spreadsheets write them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLabels, samePlace, tableLabels } from "../../../ts-api/src/collections/labels.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";

test("what tables look like", () => {
  const cases: [text: string, labels: [string, string][]][] = [
    ["source,label\na.jpg,cat\nb.jpg,dog\n", [["a.jpg", "cat"], ["b.jpg", "dog"]]],
    ["\uFEFFsource,label\r\na.jpg,cat\r\n\r\nb.jpg,dog", [["a.jpg", "cat"], ["b.jpg", "dog"]]],
    ["source,label\ra.jpg,cat\r", [["a.jpg", "cat"]]],
    [' Label ,"Source",note\ncat,a.jpg,\n"dog","b.jpg",x\n', [["a.jpg", "cat"], ["b.jpg", "dog"]]],
    ['source,label\n"a, b.jpg","""big"" cat"\n"two\nlines.jpg","x\r\ny"\n', [["a, b.jpg", '"big" cat'], ["two\nlines.jpg", "x\r\ny"]]],
    ['source,label\n5" wide.jpg,cat\n', [['5" wide.jpg', "cat"]]],
    ["source,label\na.jpg,cat\na.jpg,cat\n./a.jpg,cat\n", [["a.jpg", "cat"]]],
    ["source,label\na.jpg,\n", [["a.jpg", ""]]],
    ["source,label\n", []],
  ];
  for (const [text, labels] of cases) assert.deepEqual([...parseLabels(text, "x.csv")], labels, JSON.stringify(text));
  const many = Array.from({ length: 100_000 }, (_, i) => `photos/${i}.jpg,"label ${i % 7}"`).join("\n");
  assert.equal(parseLabels(`source,label\n${many}`, "x.csv").get("photos/99999.jpg"), `label ${99_999 % 7}`);
});

test("what is no such table is refused, with the place of the fault", () => {
  const cases: [text: string, says: RegExp][] = [
    ["", /x\.csv must begin with a line that names its columns/],
    ["a.jpg,cat\n", /must begin with a line/],
    ["source;label\na.jpg;cat\n", /with a comma between them/],
    ["source,label\na.jpg\n", /1 fields in record 2, and 2 names/],
    ["source,label\na.jpg,cat,x\n", /3 fields in record 2/],
    ['source,label\na.jpg,cat\n"b.jpg,dog\n', /quotation mark in record 3 that is not closed/],
    ['source,label\n"b.jpg"x,dog\n', /quotation mark in record 2/],
    ["source,label\na.jpg,cat\na.jpg,dog\n", /gives "a\.jpg" two labels, "cat" and "dog"/],
    ["source,label\nphotos/a.jpg,cat\n./photos//a.jpg,dog\n", /gives "\.\/photos\/\/a\.jpg" two labels/],
  ];
  for (const [text, says] of cases) assert.throws(() => parseLabels(text, "x.csv"), (error) => isIJepaError(error, "input/value") && says.test(error.message), JSON.stringify(text));
});

test("one path has one label, however it is spelled", () => {
  for (const [source, same] of [["./a/b.jpg", "a/b.jpg"], ["a//b.jpg", "a/b.jpg"], ["a/././b.jpg", "a/b.jpg"], [".//a.jpg", "a.jpg"], ["/a.jpg", "/a.jpg"], ["//a.jpg", "/a.jpg"], ["../a.jpg", "../a.jpg"], [".a/b.jpg", ".a/b.jpg"], ["https://x//a.jpg", "https://x//a.jpg"], [`sha256:${"0".repeat(64)}`, `sha256:${"0".repeat(64)}`], ["C:/a.jpg", "C:/a.jpg"]]) {
    assert.equal(samePlace(source), same, source);
  }
  const labels = tableLabels(parseLabels("source,label\n./photos/a.jpg,cat\n", "x.csv"));
  assert.deepEqual([labels("photos/a.jpg"), labels("photos//a.jpg"), labels("photos/b.jpg")], ["cat", "cat", undefined]);
});
