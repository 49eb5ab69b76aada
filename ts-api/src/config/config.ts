/** From a model's config.json to a checked configuration. */
import { IJepaError } from "../core/errors.js";
import { fieldError, FieldReader, readNumLabels } from "./field-reader.js";
import { checkText, isRecord, wrongType } from "../core/options.js";
import { show } from "../core/show.js";
import type { ActivationName } from "../ops/activation.js";

/**
 * Largest number of elements of one weight tensor, and of one activation (tokens x width) of one image: 2^28, that is
 * 1 GiB in f32. The largest published I-JEPA (ViT-g/16) has 8.7 million in its largest matrix.
 */
export const MAX_ELEMENTS = 2 ** 28;

/** Pixels: one number for a square, or [height, width]. */
export type Size = number | readonly [height: number, width: number];

/** The fields of Hugging Face's I-JEPA configuration, in camelCase. */
export interface IJepaConfigFields {
  /** Width of the encoder; a multiple of `numAttentionHeads`, at most 8192. Default 768. */
  hiddenSize: number;
  /** Encoder layers, at most 256. Default 12. */
  numHiddenLayers: number;
  /** Attention heads, at most 256. Default 12. */
  numAttentionHeads: number;
  /** Width inside the MLP, at most 32768. Default 3072. */
  intermediateSize: number;
  /** Activation of the MLP. Default "gelu", the exact one with erf. */
  hiddenAct: ActivationName;
  /** Kept for the file; nothing is dropped at inference. Default 0. */
  hiddenDropoutProb: number;
  /** Kept for the file; nothing is dropped at inference. Default 0. */
  attentionProbsDropoutProb: number;
  /** Kept for the file. Default 0.02. */
  initializerRange: number;
  /** Added to the variance in every layer norm; from 1e-37 (not 0 in f32) to 1. Default 1e-12; the published checkpoints use 1e-6. */
  layerNormEps: number;
  /** Pixels: one number for a square, or [height, width]; each at most 16384. Default 224. */
  imageSize: Size;
  /** Pixels: one number for a square, or [height, width]. Default 16. */
  patchSize: Size;
  /** Channels of the image, at most 1024. Default 3. */
  numChannels: number;
  /** Whether query, key and value have a bias. Default true. */
  qkvBias: boolean;
  /** Width of the optional pooler, at most 8192. Default `hiddenSize`. */
  poolerOutputSize: number;
  /** Activation of the optional pooler. Default "tanh". */
  poolerAct: ActivationName;
  /** Number of classes of a classification head. Default 2. */
  numLabels: number;
}

type Field = Exclude<keyof IJepaConfigFields, "numLabels">;

const JSON_NAMES: { readonly [F in Field]: string } = {
  hiddenSize: "hidden_size",
  numHiddenLayers: "num_hidden_layers",
  numAttentionHeads: "num_attention_heads",
  intermediateSize: "intermediate_size",
  hiddenAct: "hidden_act",
  hiddenDropoutProb: "hidden_dropout_prob",
  attentionProbsDropoutProb: "attention_probs_dropout_prob",
  initializerRange: "initializer_range",
  layerNormEps: "layer_norm_eps",
  imageSize: "image_size",
  patchSize: "patch_size",
  numChannels: "num_channels",
  qkvBias: "qkv_bias",
  poolerOutputSize: "pooler_output_size",
  poolerAct: "pooler_act",
};

const FIELDS = Object.keys(JSON_NAMES) as Field[];

/**
 * The configuration of an I-JEPA encoder: Hugging Face's fields in camelCase, with its defaults, and what follows from them.
 *
 * Every constructor path validates; all failures are IJepaError `config/field`.
 */
export class IJepaConfig implements IJepaConfigFields {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: ActivationName;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  readonly initializerRange: number;
  readonly layerNormEps: number;
  readonly imageSize: Size;
  readonly patchSize: Size;
  readonly numChannels: number;
  readonly qkvBias: boolean;
  readonly poolerOutputSize: number;
  readonly poolerAct: ActivationName;
  /** Number of classes of a classification head: the entries of `id2label`, else `num_labels`, else 2. */
  readonly numLabels: number;

  readonly #json: Readonly<Record<string, unknown>>;

  /**
   * @param fields fields that differ from the defaults
   * @param json further keys of a config.json that `toJSON` keeps, such as `id2label`; keys of known fields are ignored here
   * @throws IJepaError `config/field`
   */
  constructor(fields: Partial<IJepaConfigFields> = {}, json: Readonly<Record<string, unknown>> = {}) {
    if (!isRecord(json)) throw wrongType("The further keys of a configuration", "an object", json);
    const further = withLabels(json, fields);
    this.numLabels = readNumLabels(further);
    const check = new FieldReader(withoutLabels(fields, this.numLabels), JSON_NAMES);
    this.hiddenSize = check.whole("hiddenSize", 768, 1, 8192);
    this.numHiddenLayers = check.whole("numHiddenLayers", 12, 1, 256);
    this.numAttentionHeads = check.whole("numAttentionHeads", 12, 1, 256);
    this.intermediateSize = check.whole("intermediateSize", 3072, 1, 32768);
    this.hiddenAct = check.activation("hiddenAct", "gelu");
    this.hiddenDropoutProb = check.real("hiddenDropoutProb", 0, 0, 1);
    this.attentionProbsDropoutProb = check.real("attentionProbsDropoutProb", 0, 0, 1);
    this.initializerRange = check.real("initializerRange", 0.02, 0, Number.MAX_VALUE);
    this.layerNormEps = check.real("layerNormEps", 1e-12, 1e-37, 1);
    this.imageSize = check.size("imageSize", 224, 16384);
    this.patchSize = check.size("patchSize", 16, 16384);
    this.numChannels = check.whole("numChannels", 3, 1, 1024);
    this.qkvBias = check.boolean("qkvBias", true);
    this.poolerOutputSize = check.whole("poolerOutputSize", this.hiddenSize, 1, 8192);
    this.poolerAct = check.activation("poolerAct", "tanh");
    this.#json = { ...further };
    this.#checkTogether();
  }

  /**
   * Reads the content of a config.json. Missing fields take Hugging Face's defaults, unknown ones are kept for `toJSON`.
   * @param json the parsed file
   * @param file its name, for messages
   * @throws IJepaError `config/field` when it is not an object, is of another model type, or a field has an invalid value
   */
  static fromJSON(json: unknown, file = "config.json"): IJepaConfig {
    checkText("The name of the file", file);
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw fieldError("config", json, `${file} must hold a JSON object, not ${show(json)}.`);
    }
    const object = json as Record<string, unknown>;
    const type = object["model_type"];
    if (type !== undefined && type !== "ijepa") {
      throw fieldError("model_type", type, `${file} has model_type ${show(type)}; only "ijepa" models can be run.`);
    }
    const fields: Partial<Record<Field, unknown>> = {};
    for (const field of FIELDS) {
      const name = JSON_NAMES[field], value = object[name];
      // Hugging Face writes null for "same as hidden_size", and for no other field.
      if (value === null && field !== "poolerOutputSize") throw fieldError(name, value, `${file}: ${name} must not be null.`);
      if (value !== undefined && value !== null) fields[field] = value;
    }
    try {
      return new IJepaConfig(fields as Partial<IJepaConfigFields>, object);
    } catch (error) {
      if (!(error instanceof IJepaError)) throw error;
      throw new IJepaError(error.code, `${file}: ${error.message}`, error.details, { cause: error });
    }
  }

  /** The content of a config.json: snake_case, keys in the order they were read, unknown keys kept, missing fields added. */
  toJSON(): Record<string, unknown> {
    const keys = new Map(Object.entries(this.#json));
    if (!keys.has("architectures")) keys.set("architectures", ["IJepaModel"]);
    keys.set("model_type", "ijepa");
    for (const field of FIELDS) keys.set(JSON_NAMES[field], this[field]);
    return Object.fromEntries(keys);
  }

  /** Pixels. */
  get imageHeight(): number {
    return heightOf(this.imageSize);
  }

  /** Pixels. */
  get imageWidth(): number {
    return widthOf(this.imageSize);
  }

  /** Pixels. */
  get patchHeight(): number {
    return heightOf(this.patchSize);
  }

  /** Pixels. */
  get patchWidth(): number {
    return widthOf(this.patchSize);
  }

  /** Rows of patches; pixels that do not fill a patch are dropped. */
  get gridHeight(): number {
    return Math.floor(this.imageHeight / this.patchHeight);
  }

  /** Patches in a row; pixels that do not fill a patch are dropped. */
  get gridWidth(): number {
    return Math.floor(this.imageWidth / this.patchWidth);
  }

  /** Tokens of one image: there is no CLS token. */
  get numPatches(): number {
    return this.gridHeight * this.gridWidth;
  }

  /** Numbers in one patch: channels x patch height x patch width. */
  get patchInputs(): number {
    return this.numChannels * this.patchHeight * this.patchWidth;
  }

  /** Width of one attention head. */
  get headDim(): number {
    return this.hiddenSize / this.numAttentionHeads;
  }

  #checkTogether(): void {
    const { hiddenSize, numAttentionHeads } = this;
    if (hiddenSize % numAttentionHeads !== 0) {
      const message = `The hidden size ${hiddenSize} is not a multiple of the number of attention heads ${numAttentionHeads}.`;
      throw fieldError("hidden_size", hiddenSize, message);
    }
    if (this.patchHeight > this.imageHeight || this.patchWidth > this.imageWidth) {
      const message = `patch_size ${show(this.patchSize)} is larger than image_size ${show(this.imageSize)}.`;
      throw fieldError("patch_size", this.patchSize, message);
    }
    const pixels = this.numChannels * this.imageHeight * this.imageWidth;
    const sizes: [field: string, count: number][] = [
      ["patch_size", hiddenSize * this.patchInputs],
      ["image_size", Math.max(pixels, this.numPatches * Math.max(hiddenSize, this.intermediateSize))],
      ["num_labels", this.numLabels * hiddenSize],
    ];
    for (const [field, count] of sizes) {
      if (count > MAX_ELEMENTS) {
        throw fieldError(field, count, `${field} asks for an array of ${count} numbers; at most ${MAX_ELEMENTS} are allowed.`);
      }
    }
  }
}

function heightOf(size: Size): number {
  return typeof size === "number" ? size : size[0];
}

function widthOf(size: Size): number {
  return typeof size === "number" ? size : size[1];
}

/** `json`, with the `numLabels` of the fields where it says something else. */
function withLabels(json: Readonly<Record<string, unknown>>, fields: Partial<IJepaConfigFields> | null): Readonly<Record<string, unknown>> {
  const count = fields?.numLabels;
  return count === undefined || count === readNumLabels(json) ? json : { ...json, num_labels: count };
}

/** `numLabels` is no field of its own in config.json, where `id2label` counts. */
function withoutLabels(fields: Partial<IJepaConfigFields>, numLabels: number): Partial<Pick<IJepaConfigFields, Field>> {
  if ((fields as { numLabels?: unknown } | null)?.numLabels !== numLabels) return fields;
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== "numLabels"));
}
