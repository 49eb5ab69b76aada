/** The options of the commands for collections and classifiers, and how their values are read. */
import { UsageError } from "./exit.js";

export const LAYERS = ["last", "last4"] as const;

export const COLLECTION_OPTIONS = {
  collection: { value: "DIR", help: "folder of the collection; created if it does not exist" },
  layers: { value: LAYERS.join("|"), help: "last: the model's output; last4: the outputs of the last four layers, concatenated (default: last)" },
  tokens: { help: "also store the features of every patch, for search --patch; the collection grows some hundredfold" },
  prune: { help: "remove images that no longer exist in the given folders" },
  results: { value: "N", short: "k", help: "number of results (default: 10)" },
  html: { value: "FILE", help: "also write the results as one self-contained HTML page" },
  threshold: { value: "COSINE", help: "minimum cosine similarity of duplicates, from -1 to 1 (default: 0.95)" },
  labels: { value: "folders|FILE", help: "folders: label each image with the name of its folder; FILE: a CSV file with the columns source and label" },
  strength: { value: "C", help: "inverse strength of the L2 penalty; smaller values regularize more (default: the best of 0.001, 0.01, ... 100)" },
  seed: { value: "N", help: "seed that selects the held-out images (default: 0)" },
  "hold-out": { value: "SHARE", help: "share of each class to hold out for evaluation (default: 0.2)" },
  views: { value: "flip", help: "flip: also train on mirrored images, which must be encoded again" },
  full: { help: "include the encoder's weights, so that Hugging Face's libraries can load the classifier" },
  "top-k": { value: "N", help: "labels per image, most likely first (default: 5)" },
  encoder: { value: "REF", help: "encoder to use: a folder, a URL or a Hub model (default: the one that the collection names)" },
  verify: { value: "SHARE", help: "check every file, and encode this share of the images again, such as 1%; 0% checks the files only" },
  compact: { help: "rewrite the files without replaced and removed rows" },
  repair: { help: "move damaged files into the subfolder damaged" },
  export: { value: "TARGET", help: "write all features to a file (.parquet, .npy, .jsonl, .safetensors), to PostgreSQL (postgres://...) or to Qdrant (http://...)" },
  queue: { value: "URL", help: "BullMQ queue through which \"ijepa worker\" computes, on any number of machines: redis://host:6379, rediss:// for TLS, or postgres://user@host/database" },
  "metrics-port": { value: "N", help: "port for Prometheus to read metrics from, at /metrics; 0 picks a free one (default: none)" },
  audit: { value: "SHARE", help: "with --queue: let a second worker compute this share of the images too, such as 1%, and replace the results of workers that are wrong (default: 0)" },
  "allow-private": { help: "also fetch images from private addresses; whoever can write to the queue can then make the worker request them" },
} as const;

/** Values of options as given: strings, and true for switches. */
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
