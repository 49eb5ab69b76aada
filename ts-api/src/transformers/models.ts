/** The model and processor classes of transformers.js: callable, with names in snake_case. */
import {
  IJepaForImageClassification as Classifier, IJepaImageProcessor, IJepaModel as Encoder, type Numerics, type Tensor as Base,
} from "../index.js";
import { CONFIG_NAMES } from "../image/processor-settings.js";
import { loadModel, loadOptions, type PretrainedOptions } from "./options.js";
import { readRgb, type ImageInput } from "./raw-image.js";
import { refused } from "./refused.js";
import { type Tensor, withMethods } from "./tensor.js";

/** The inputs of models: `pixel_values`, and the others that transformers documents for I-JEPA. */
export interface ModelInputs {
  /** [images, channels, height, width]. */
  pixel_values: Base;
  /** [images, tokens], 1 where the mask token replaces the patch. */
  bool_masked_pos?: Base;
  /** [images, tokens], 0 for tokens that are not attended to. */
  attention_mask?: Base;
  /** [heads] or [layers, heads], the factor of a head's probabilities. */
  head_mask?: Base;
  /** Take images of another size than the model's. Default false. */
  interpolate_pos_encoding?: boolean;
  /** [images], a class for each; or [images, classes] for several labels at once. With them there is a loss. */
  labels?: Base;
  /** Give the hidden states too. Default false. */
  output_hidden_states?: boolean;
  /** Give the attention maps too. Default false. */
  output_attentions?: boolean;
  /** From the processor; the model does not need them. */
  original_sizes?: unknown;
  /** From the processor; the model does not need them. */
  reshaped_input_sizes?: unknown;
}

/** What models give. */
export interface ModelOutputs {
  /** [images, tokens, width], after the final norm. */
  last_hidden_state: Tensor<"float32">;
  /** [images, poolerOutputSize]; with `addPoolingLayer`. */
  pooler_output?: Tensor<"float32">;
  /** [images, classes], of classifiers. */
  logits?: Tensor<"float32">;
  /** Of classifiers, with `labels`. */
  loss?: number;
  /** [images, tokens, width] after the embedding and after each layer; with `output_hidden_states`. */
  hidden_states?: Tensor<"float32">[];
  /** [images, heads, tokens, tokens] of each layer; with `output_attentions`. */
  attentions?: Tensor<"float32">[];
  /** How the result was made, and the SHA-256 of its bits. */
  numerics: Numerics;
}

/** A loaded model: call it. */
export interface CallableModel<M extends Encoder | Classifier> {
  /** Runs the model. Throws as the library's `forward`, and IJepaError `input/value` for an unknown input. */
  (inputs: ModelInputs): Promise<ModelOutputs>;
  /** The same as calling the model. */
  forward(inputs: ModelInputs): Promise<ModelOutputs>;
  /** The fields of config.json. */
  readonly config: Record<string, unknown>;
  /** The library's own model. */
  readonly model: M;
  /** Frees the model, after pending calls. */
  dispose(): Promise<void>;
}

/** The output of a processor. */
export interface ProcessorOutputs {
  /** [images, channels, height, width]. */
  pixel_values: Tensor<"float32">;
  /** The original size of each image, [height, width]. */
  original_sizes: [number, number][];
  /** The size of each image for the model, [height, width]. */
  reshaped_input_sizes: [number, number][];
}

/** The library's image processor, with settings that can be set, in snake_case too. */
export type SettableProcessor = { -readonly [K in keyof IJepaImageProcessor]: IJepaImageProcessor[K] } & Record<string, unknown>;

/** An image processor: call it with images. */
export interface CallableProcessor {
  /**
   * Turns an image, or several as one batch, into the model's inputs.
   * @throws IJepaError `image/*`, `io/read`, `input/*`
   */
  (images: ImageInput | readonly ImageInput[]): Promise<ProcessorOutputs>;
  /**
   * The library's own image processor, with its settings in snake_case too, such as `size` and `do_resize`: one that is set holds for the
   * calls that follow.
   */
  readonly image_processor: SettableProcessor;
  /** The name that transformers.js had for `image_processor`. */
  readonly feature_extractor: SettableProcessor;
  /** The fields of preprocessor_config.json. */
  readonly config: Record<string, unknown>;
  /** The settings of `image_processor` are here too: an image processor of transformers.js is called, and has them. */
  [setting: string]: unknown;
}

const INPUTS: Record<keyof ModelInputs, string | undefined> = {
  pixel_values: "pixelValues", bool_masked_pos: "boolMaskedPos", attention_mask: "attentionMask", head_mask: "headMask", labels: "labels",
  interpolate_pos_encoding: "interpolatePosEncoding", output_hidden_states: "outputHiddenStates", output_attentions: "outputAttentions",
  original_sizes: undefined, reshaped_input_sizes: undefined,
};
const OUTPUTS = {
  lastHiddenState: "last_hidden_state", poolerOutput: "pooler_output", logits: "logits", loss: "loss", hiddenStates: "hidden_states",
  attentions: "attentions", numerics: "numerics",
} as const;

/** Loads an encoder. */
export class AutoModel {
  /**
   * An encoder from a folder, a URL or the Hub; default: the model of the package.
   * @throws IJepaError `input/value` for options that are not there; what IJepaModel.fromPretrained throws
   */
  static async from_pretrained(model?: string | null, options: PretrainedOptions = {}): Promise<CallableModel<Encoder>> {
    const given = loadOptions(options);
    return callable(await loadModel(model, (ref) => Encoder.fromPretrained(ref, given)));
  }
}

/** Loads an encoder with a classification head. */
export class AutoModelForImageClassification {
  /**
   * A classifier from a folder, a URL or the Hub.
   * @throws IJepaError as `AutoModel.from_pretrained`
   */
  static async from_pretrained(model?: string | null, options: PretrainedOptions = {}): Promise<CallableModel<Classifier>> {
    const given = loadOptions(options);
    return callable(await loadModel(model, (ref) => Classifier.fromPretrained(ref, given)));
  }
}

/** Loads the image processor of a model. */
export class AutoProcessor {
  /**
   * The processor of a model in a folder, at a URL or on the Hub; default: of the model of the package.
   * @throws IJepaError `config/*`, `hub/*`, `io/*`, `input/value`
   */
  static async from_pretrained(model?: string | null, options: PretrainedOptions = {}): Promise<CallableProcessor> {
    const given = loadOptions(options);
    return processorOf(await loadModel(model, (ref) => IJepaImageProcessor.fromPretrained(ref, given)));
  }
}

export function processorOf(processor: IJepaImageProcessor): CallableProcessor {
  const run = async (images: ImageInput | readonly ImageInput[]): Promise<ProcessorOutputs> => {
    const loaded = await Promise.all((Array.isArray(images) ? (images as readonly ImageInput[]) : [images as ImageInput]).map((image) => readRgb(image)));
    const pixels = processor.preprocess(loaded).pixelValues, [, , height, width] = pixels.dims;
    return {
      pixel_values: withMethods(pixels),
      original_sizes: loaded.map((image) => [image.height, image.width]),
      reshaped_input_sizes: loaded.map(() => [height, width]),
    };
  };
  const settings = inSnakeCase(processor);
  return new Proxy(Object.assign(run, { image_processor: settings, config: processor.toConfig() }), {
    get: (target, key) => (key === "feature_extractor" ? settings : (Reflect.get(key in target ? target : settings, key) as unknown)),
    set: (target, key, value) => Reflect.set(key in target ? target : settings, key, value),
  }) as CallableProcessor;
}

const SETTINGS = new Map(Object.entries(CONFIG_NAMES).map(([name, field]) => [field, name]));

/** A processor whose settings are read and set by the names of preprocessor_config.json. A value that cannot be is refused as in its constructor. */
function inSnakeCase(processor: IJepaImageProcessor): SettableProcessor {
  return new Proxy(processor, {
    get(target, key) {
      const value: unknown = Reflect.get(target, SETTINGS.get(String(key)) ?? key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
    set(target, key, value: unknown) {
      const name = SETTINGS.get(String(key)) ?? String(key);
      return Reflect.set(target, name, Reflect.get(new IJepaImageProcessor({ [name]: value }), name));
    },
  }) as SettableProcessor;
}

export function callable<M extends Encoder | Classifier>(model: M): CallableModel<M> {
  const forward = async (inputs: ModelInputs): Promise<ModelOutputs> => {
    const { outputHiddenStates, outputAttentions, ...given } = argumentsOf(inputs);
    const options = Object.fromEntries(Object.entries({ outputHiddenStates, outputAttentions }).filter(([, value]) => value !== undefined));
    return outputsOf(await model.forward(given as unknown as Parameters<Encoder["forward"]>[0], options));
  };
  return Object.assign((inputs: ModelInputs) => forward(inputs), { forward, config: model.config.toJSON(), model, dispose: () => model.dispose() });
}

function argumentsOf(inputs: ModelInputs): Record<string, unknown> {
  if (typeof inputs !== "object" || inputs === null) throw new TypeError("A model is called with an object that has pixel_values.");
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(inputs)) {
    if (!Object.hasOwn(INPUTS, name)) throw refused(name, value, `An I-JEPA model has no input ${JSON.stringify(name)}; the inputs are ${Object.keys(INPUTS).join(", ")}.`);
    const own = INPUTS[name as keyof ModelInputs];
    if (own !== undefined) given[own] = value;
  }
  return given;
}

function outputsOf(output: object): ModelOutputs {
  const entries = Object.entries(output) as [keyof typeof OUTPUTS, unknown][];
  return Object.fromEntries(entries.map(([name, value]) => [OUTPUTS[name], converted(value)])) as unknown as ModelOutputs;
}

function converted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(converted);
  return typeof value === "object" && value !== null && "dims" in value ? withMethods(value as Base) : value;
}
