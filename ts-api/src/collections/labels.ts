/** From a CSV file to labels by image, and mirrored images as more examples. */
import { checkHas, checkText } from "../core/options.js";
import { IJepaError } from "../core/errors.js";
import type { RawImage } from "../image/raw-image.js";
import type { Labels } from "./classifier.js";

/** A field with what ends it: in quotes, which are doubled inside, or without. */
const FIELD = /(?:"([^"]*(?:""[^"]*)*)"|((?!")[^,\r\n]*))(,|\r?\n|\r|$)/y;

/**
 * From the place of an image, as `samePlace` writes it, to its label: RFC 4180, with a first line that names the columns `source` and
 * `label`, among others.
 * @throws IJepaError `input/value` for a text that is not such a file, or a place with two labels
 */
export function parseLabels(text: string, name: string): Map<string, string> {
  checkText("The text of the labels", text);
  checkText("The name of the table", name);
  const fail = (problem: string) => new IJepaError("input/value", `${name} ${problem}.`, { name: "labels", value: name });
  const [head = [], ...lines] = records(text.replace(/^\uFEFF/, ""), fail), names = head.map((column) => column.trim().toLowerCase());
  const source = names.indexOf("source"), label = names.indexOf("label"), labels = new Map<string, string>();
  if (source < 0 || label < 0) throw fail("must begin with a line that names its columns, source and label among them, with a comma between them");
  for (const [i, record] of lines.entries()) {
    if (record.length === 1 && record[0] === "") continue;
    if (record.length !== head.length) throw fail(`has ${record.length} fields in record ${i + 2}, and ${head.length} names of columns`);
    const place = samePlace(record[source]), known = labels.get(place);
    if (known !== undefined && known !== record[label]) throw fail(`gives ${JSON.stringify(record[source])} two labels, ${JSON.stringify(known)} and ${JSON.stringify(record[label])}`);
    labels.set(place, record[label]);
  }
  return labels;
}

/** The labels of a table that `parseLabels` has read. */
export function tableLabels(table: ReadonlyMap<string, string>): Labels {
  checkHas("The table", table, "a Map of labels by place", "get", "size");
  return (source) => table.get(samePlace(source));
}

/** One spelling of a path that has several: without "./" and doubled slashes. URLs stay as they are. */
export function samePlace(source: string): string {
  checkText("The place", source);
  return /^[a-z][a-z0-9+.-]+:/i.test(source) ? source : source.replace(/\/(?:\.?\/)+/g, "/").replace(/^\.\//, "");
}

function records(text: string, fail: (problem: string) => IJepaError): string[][] {
  const found: string[][] = [];
  let record: string[] = [];
  for (FIELD.lastIndex = 0; FIELD.lastIndex < text.length; ) {
    const field = FIELD.exec(text);
    if (field === null) throw fail(`has a quotation mark in record ${found.length + 1} that is not closed, or is followed by something else than a comma`);
    const [, quoted, plain, end] = field;
    record.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "," && FIELD.lastIndex < text.length) continue;
    if (end === ",") record.push("");
    found.push(record);
    record = [];
  }
  return found;
}

/** The mirror image, left for right. */
export function mirrored(image: RawImage): RawImage {
  checkHas("The image", image, "an image's pixels", "data", "width", "height", "channels");
  const { data, width, height, channels } = image;
  const turned = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) turned[(y * width + x) * channels + c] = data[(y * width + width - 1 - x) * channels + c];
    }
  }
  return { data: turned, width, height, channels };
}
