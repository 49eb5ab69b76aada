/** From a CSV file to labels by image, and mirrored images as more examples. */
import { IJepaError } from "../core/errors.js";
import type { RawImage } from "../image/raw-image.js";

/**
 * From the place of an image to its label: RFC 4180, with a first line that names the columns `source` and `label`, among others.
 * @throws IJepaError `input/value` for a text that is not such a file, or a place with two labels
 */
export function parseLabels(text: string, name: string): Map<string, string> {
  const [head, ...lines] = records(text.replace(/^\uFEFF/, "")), source = head?.indexOf("source") ?? -1, label = head?.indexOf("label") ?? -1;
  const fail = (problem: string) => new IJepaError("input/value", `${name} ${problem}.`, { name: "labels", value: name });
  if (source < 0 || label < 0) throw fail("must begin with a line that names its columns, source and label among them");
  const labels = new Map<string, string>();
  for (const [i, record] of lines.entries()) {
    if (record.length === 1 && record[0] === "") continue;
    if (record.length !== head.length) throw fail(`has ${record.length} fields in record ${i + 2}, and ${head.length} names of columns`);
    const known = labels.get(record[source]);
    if (known !== undefined && known !== record[label]) throw fail(`gives ${JSON.stringify(record[source])} two labels, ${JSON.stringify(known)} and ${JSON.stringify(record[label])}`);
    labels.set(record[source], record[label]);
  }
  return labels;
}

function records(text: string): string[][] {
  const found: string[][] = [];
  let record: string[] = [], rest = text;
  while (rest !== "") {
    const [whole, quoted, plain, end] = /^(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|\r|$)/.exec(rest) ?? [rest, undefined, rest, ""];
    record.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    rest = rest.slice(whole.length);
    if (end === "," && rest !== "") continue;
    if (end === ",") record.push("");
    found.push(record);
    record = [];
  }
  return found;
}

/** The mirror image, left for right. */
export function mirrored({ data, width, height, channels }: RawImage): RawImage {
  const turned = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) turned[(y * width + x) * channels + c] = data[(y * width + width - 1 - x) * channels + c];
    }
  }
  return { data: turned, width, height, channels };
}
