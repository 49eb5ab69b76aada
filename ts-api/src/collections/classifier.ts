/** From a collection and labels to a classifier in Hugging Face's layout. */
import { fitHead, type FitOptions, type FitReport, type FitResult, type LabelledFeature } from "../classifiers/fit.js";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { checkHas, checkText, readOptions, wrongType, type OptionNames } from "../core/options.js";
import { runtime } from "#runtime";
import type { ModelSource } from "../weights/model-folder.js";
import { ENCODER_FIELD, type EncoderReference } from "../weights/head-checkpoint.js";
import { serializeSafetensors } from "../weights/safetensors/writer.js";
import type { Collection } from "./collection.js";
import { checkEncoding } from "./encoding.js";
import type { FeatureEncoder } from "./feature-encoder.js";

/** From the place of an image to its label; undefined or null where it has none. */
export type Labels = (source: string) => string | null | undefined;

/** Options of `fitClassifier`. */
export interface FitClassifierOptions extends FitOptions {
  /** Gives the label of each place. */
  labels: Labels;
  /** Returns features of other views of an image, such as its mirror image; called for many images at once. */
  views?: ((source: string) => Promise<readonly Float32Array[]>) | undefined;
}

const NAMES: OptionNames<FitClassifierOptions> = {
  labels: "function", views: "function", holdOut: "number", seed: "number", C: true, signal: "AbortSignal", pause: "function", onProgress: "function",
};

/** The report of a fit, with the collection and labels that it used. */
export interface ClassifierReport extends FitReport {
  /** Root digest of the collection. */
  readonly collection: string;
  /** Labelled images that were fitted or held out. */
  readonly images: number;
  /** Places of the collection that have no label. */
  readonly unlabelled: number;
  /** Places whose image could not be read when it was indexed. */
  readonly unreadable: number;
}

/** A fitted head, its labels, and the report. */
export interface ClassifierFit extends Omit<FitResult, "report"> {
  /** How it was fitted, and how good it is. */
  readonly report: ClassifierReport;
}

/**
 * Fits a linear head on the labelled images of a collection.
 * @throws IJepaError `input/value` for labels that make no classifier, what `fitHead` throws, `collection/damaged`, `aborted`
 */
export async function fitClassifier(collection: Collection, given: FitClassifierOptions): Promise<ClassifierFit> {
  const { labels, views, ...options } = readOptions(given, NAMES, "fitClassifier");
  if (labels === undefined) throw wrongType("labels", "a function from the place of an image to its label", labels);
  const images: LabelledFeature[] = [];
  let unlabelled = 0;
  for await (const { source, id, feature } of collection.rows({ signal: options.signal, tokens: false })) {
    const label = labels(source);
    if (label === undefined || label === null || label === "") unlabelled++;
    else images.push({ id, source, label, feature, views: await views?.(source) });
  }
  throwIfAborted(options.signal, "fitting a classifier");
  const { report, ...fit } = await fitHead(images, { pause: () => runtime.yieldToHost(), ...options });
  const count = report.labels.reduce((sum, { training, heldOut }) => sum + training + heldOut, 0);
  return { ...fit, report: { ...report, collection: await collection.rootDigest(), images: count, unlabelled, unreadable: (await collection.failures()).length } };
}

/** The label of a place is the name of its folder. */
export const folderLabels: Labels = (source) => {
  checkText("The place", source);
  return /([^/\\]+)[/\\]+[^/\\]*$/.exec(source)?.[1];
};

/**
 * The files of a classifier, by name: config.json and model.safetensors with the head and a reference to its encoder,
 * preprocessor_config.json, and fit.json, the report.
 *
 * @param encoder that of the collection
 * @throws IJepaError `collection/encoding` for another encoder, `input/value` for a pooling that the model class does not have
 */
export async function classifierFiles(fit: ClassifierFit, collection: Collection, encoder: FeatureEncoder): Promise<Map<string, Uint8Array>> {
  checkHas("The fit", fit, "what fitClassifier gives", "head", "labels", "report");
  checkHas("The collection", collection, "a Collection", "encoding", "live");
  checkHas("The encoder", encoder, "a FeatureEncoder", "encoding", "extractor");
  const { head, labels, report } = fit, { encoding, extractor: { model, processor } } = encoder, { encoder: digest, dtype, numerics, layers, pooling, revision } = encoding;
  checkEncoding(encoding, collection.encoding, collection.name, ["tokens"]);
  if (pooling !== "mean") throw new IJepaError("input/value", `A classifier works on the mean of the patches; the collection has pooling ${pooling}.`, { name: "pooling", value: pooling });
  const reference: EncoderReference = { name: await absoluteName(encoding.model), revision, digest, dtype, ...(model.groupSize === undefined ? {} : { groupSize: model.groupSize }), numerics, layers };
  const byNumber = labels.map((label, i) => [String(i), label] as const);
  const config = {
    ...model.config.toJSON(),
    architectures: ["IJepaForImageClassification"],
    id2label: Object.fromEntries(byNumber),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    problem_type: "single_label_classification",
    [ENCODER_FIELD]: reference,
  };
  const bytes = (numbers: Float64Array) => new Uint8Array(Float32Array.from(numbers).buffer);
  const weights = serializeSafetensors(
    new Map([
      ["classifier.weight", { dtype: "F32" as const, shape: [head.classes, head.width], bytes: bytes(head.weight) }],
      ["classifier.bias", { dtype: "F32" as const, shape: [head.classes], bytes: bytes(head.bias) }],
    ]),
    { format: "pt" },
  );
  return new Map([
    ["config.json", json(config)],
    ["preprocessor_config.json", json(processor.toConfig())],
    ["model.safetensors", weights],
    ["fit.json", json(report)],
  ]);
}

/** Files in memory, as a source that a model can be loaded from. */
export function filesAsModel(name: string, files: ReadonlyMap<string, Uint8Array>): ModelSource {
  checkText("The name of the model", name);
  checkHas("The files", files, "a Map of bytes by name", "get", "size");
  return {
    name,
    async open(file) {
      const bytes = files.get(file);
      return bytes && { name: `${name}/${file}`, size: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length), close: async () => {} };
    },
  };
}

/** A folder is named by its whole path: the classifier may be loaded from elsewhere. */
async function absoluteName(name: string | null): Promise<string | null> {
  if (name === null || /^[a-z][a-z0-9+.-]+:/i.test(name)) return name;
  return (await runtime.files?.realPath(name)) ?? name;
}

function json(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}
