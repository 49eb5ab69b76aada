/** `ijepa embed`: images in, features out, as a table, as JSON or in a file. */
import { runtime } from "#runtime";
import { cosineSimilarity, isIJepaError, meanPool, type Features, type Tensor } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, type Command, type Settings } from "./args.js";
import { UsageError } from "./exit.js";
import { extractImages, modelName, shortName, toJson, type ImageResult } from "./extract.js";
import { isMany, MANY_OPTIONS } from "./image-sources.js";
import { checkOutputPath, serializeResults } from "./output.js";
import { formatTable, printable } from "./text.js";

const HEADINGS = ["file", "size", "model", "dtype", "device", "tokens x width", "ms", "sha256"];
const RIGHT = [1, 5, 6];
/** Hex digits of a digest if the whole one does not fit. */
const SHORT_DIGEST = 16;

export const embed: Command = {
  name: "embed",
  usage: "IMAGE|FOLDER|PATTERN... [options]",
  summary: "Extract the features of images; with exactly two images, also print their cosine similarity",
  options: [...SOURCE_OPTIONS, "dtype", "device", "threads", "revectorize", "pool", "normalize", "out", ...MANY_OPTIONS, "json", "help"],
  images: [1, Infinity],
  notes: [
    "The table shows each image's size in pixels, the milliseconds taken to resize and encode it, and the SHA-256 of its features (little-endian f32). The digest depends only on the image, the model, --dtype, --pool and --normalize. A narrow terminal shows its first 16 digits.",
    "The cosine similarity of two images is that of their pooled features; without --pool, that of the means of their tokens.",
    "Images that cannot be read are reported on stderr and skipped; the exit code is that of the first one. With a few named images, --out is written only if all of them succeed.",
    "Many images: give a folder, a quoted pattern such as \"photos/**/*.jpg\", --recursive, --from-file, or an --out that is .parquet or -. Images are then decoded in threads, and a file needs --pool mean. Progress is saved in FILE.partial: run the same command again to resume. Existing files are never replaced. FILE.npy comes with FILE.names.json, which names its rows.",
    "--out - prints one line of JSON per image as soon as it is done, in input order. For an image that cannot be read, the line is { file, error }.",
  ],
  run: runEmbed,
};

async function runEmbed(settings: Settings, host: CliHost): Promise<number> {
  const { images, out, json } = settings;
  if (await isMany(settings)) return (await import("./embed-many.js")).embedMany(settings, host);
  if (out !== undefined) {
    checkExtension(out);
    await host.checkWritable(out);
  }
  const extraction = await extractImages(settings, host, out !== undefined || images.length === 2);
  const { results, features, exitCode } = extraction;
  if (results.length === 0) return exitCode;
  if (out !== undefined && exitCode === 0) {
    const records = results.map(({ file, dims, numerics }, i) => ({ file, dims, numerics, data: features[i].data }));
    await runtime.writeFile(out, serializeResults(out, records));
  }
  const pair = images.length === 2 && results.length === 2;
  const similarity = pair ? cosineSimilarity(meanOf(features[0]), meanOf(features[1])) : undefined;
  const text = json ? toJson(settings, extraction, similarity) : toTable(settings.model, results, similarity, host.stdout.columns);
  await host.stdout.write(text);
  return exitCode;
}

function checkExtension(path: string): void {
  try {
    checkOutputPath(path);
  } catch (error) {
    throw isIJepaError(error, "input/value") ? new UsageError(error.message) : error;
  }
}

function meanOf(features: Features): Tensor<"float32"> {
  return features.dims.length === 3 ? meanPool(features) : features;
}

/** @param columns of the terminal; undefined where there is none */
function toTable(model: string | undefined, results: readonly ImageResult[], similarity: number | undefined, columns: number | undefined): string {
  const name = shortName(modelName(model));
  const table = (digits: number): string[] => {
    const rows = results.map(({ file, width, height, dims, milliseconds, numerics: { dtype, device, digest } }) => {
      const shape = dims.length === 1 ? [1, ...dims] : dims;
      const row = [file, `${width}x${height}`, name, dtype, device, shape.join("x"), milliseconds.toFixed(1), digest.slice(0, digits)];
      return row.map(printable);
    });
    return formatTable([HEADINGS, ...rows], RIGHT);
  };
  const full = table(64);
  const fits = columns === undefined || full.every((line) => line.length <= columns);
  const lines = fits ? full : table(SHORT_DIGEST);
  if (similarity !== undefined) lines.push("", `cosine similarity: ${similarity.toFixed(6)}`);
  return `${lines.join("\n")}\n`;
}
