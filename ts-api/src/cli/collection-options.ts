/** The options of the commands for collections and classifiers, and how their values are read. */
import { UsageError } from "./exit.js";

export const LAYERS = ["last", "last4"] as const;

export const COLLECTION_OPTIONS = {
  collection: { value: "DIR", help: "the collection, a folder; index makes it where there is none" },
  layers: { value: LAYERS.join("|"), help: "last: the model's output; last4: the outputs of the last four layers side by side (default: last)" },
  tokens: { help: "keep the features of all patches too, for search --patch; some hundred times as large" },
  prune: { help: "forget the images below the folders given that are not there any more" },
  results: { value: "N", short: "k", help: "how many results (default: 10)" },
  html: { value: "FILE", help: "also write a page with pictures, one file without network" },
  threshold: { value: "COSINE", help: "least similarity of two images, from -1 to 1 (default: 0.95)" },
  labels: { value: "folders|FILE", help: "folders: the folder of an image is its label; or a CSV file with the columns source and label" },
  strength: { value: "C", help: "strength of the fit, the larger the weaker its penalty (default: the best of 0.001 to 100 in tens)" },
  seed: { value: "N", help: "which images are held out (default: 0)" },
  "hold-out": { value: "SHARE", help: "share of each class that is held out for measuring (default: 0.2)" },
  views: { value: "flip", help: "flip: also fit the mirror images, which are encoded anew" },
  full: { help: "write the encoder into the classifier too, for Hugging Face's libraries" },
  "top-k": { value: "N", help: "labels of each image, the best first (default: 5)" },
  encoder: { value: "REF", help: "where the encoder of a classifier is (default: where the classifier says)" },
  verify: { value: "SHARE", help: "check every file, and encode that share of the images again, such as 1%; 0% for the files only" },
  compact: { help: "write the files anew, without what no longer counts" },
  repair: { help: "put damaged files aside, into the folder damaged" },
  export: { value: "TARGET", help: "write all features to a file (.parquet, .npy, .jsonl), a table (postgres://...) or Qdrant (http://...)" },
} as const;

/** Values of options as they were given: texts, and true for switches. */
export type GivenOptions = Readonly<Record<string, unknown>>;

export function textOf(given: GivenOptions, name: keyof typeof COLLECTION_OPTIONS): string | undefined {
  return given[name] as string | undefined;
}

/** @throws UsageError */
export function wholeOf(given: GivenOptions, name: keyof typeof COLLECTION_OPTIONS, min: number, max: number): number | undefined {
  const text = textOf(given, name), value = Number(text);
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}.`);
}

/** @throws UsageError */
export function numberOf(given: GivenOptions, name: keyof typeof COLLECTION_OPTIONS, min: number, max: number): number | undefined {
  const text = textOf(given, name), value = Number(text);
  if (text === undefined) return undefined;
  if (text.trim() !== "" && value >= min && value <= max) return value;
  throw new UsageError(`--${name} must be a number from ${min} to ${max}, not ${JSON.stringify(text)}.`);
}

/** A share such as 1% or 0.01. Throws UsageError. */
export function shareOf(given: GivenOptions, name: keyof typeof COLLECTION_OPTIONS): number | undefined {
  const text = textOf(given, name), [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text ?? "") ?? [];
  if (text === undefined) return undefined;
  const value = Number(digits) / (percent === "%" ? 100 : 1);
  if (value >= 0 && value <= 1) return value;
  throw new UsageError(`--${name} must be a share such as 1% or 0.01, not ${JSON.stringify(text)}.`);
}

/** One of a few words. Throws UsageError. */
export function wordOf<T extends string>(given: GivenOptions, name: keyof typeof COLLECTION_OPTIONS, words: readonly T[]): T | undefined {
  const text = textOf(given, name), known = words.find((word) => word === text);
  if (text === undefined || known !== undefined) return known;
  throw new UsageError(`--${name} must be one of ${words.join(", ")}, not ${JSON.stringify(text)}.`);
}
