/** Models and processors that are called, with inputs and outputs in snake_case. */
import {
  IJepaForImageClassification as Classifier, IJepaImageProcessor, IJepaModel as Encoder, type Numerics, type Tensor as Base,
} from "../index.js";
import { loadOptions, refOf, refused, type PretrainedOptions } from "./options.js";
import { RawImage, type ImageInput } from "./raw-image.js";
import { type Tensor, withMethods } from "./tensor.js";

/** What models are called with: `pixel_values`, and what else transformers documents of I-JEPA. */
export interface ModelInputs {
  pixel_values: Base;
  bool_masked_pos?: Base;
  attention_mask?: Base;
  head_mask?: Base;
  interpolate_pos_encoding?: boolean;
  labels?: Base;
  output_hidden_states?: boolean;
  output_attentions?: boolean;
  /** From the processor; the model does not need them. */
  original_sizes?: unknown;
  reshaped_input_sizes?: unknown;
}

export interface ModelOutputs {
  last_hidden_state: Tensor<"float32">;
  pooler_output?: Tensor<"float32">;
  logits?: Tensor<"float32">;
  loss?: number;
  hidden_states?: Tensor<"float32">[];
  attentions?: Tensor<"float32">[];
  /** How the result was made, and the SHA-256 of its bits. */
  numerics: Numerics;
}

/** A loaded model: call it. */
export interface CallableModel<M extends Encoder | Classifier> {
  (inputs: ModelInputs): Promise<ModelOutputs>;
  forward(inputs: ModelInputs): Promise<ModelOutputs>;
  /** The fields of config.json. */
  readonly config: Record<string, unknown>;
  /** The library's own model. */
  readonly model: M;
  dispose(): Promise<void>;
}

/** What a processor makes of images. */
export interface ProcessorOutputs {
  pixel_values: Tensor<"float32">;
  /** Of each image, [height, width]. */
  original_sizes: [number, number][];
  reshaped_input_sizes: [number, number][];
}

export interface CallableProcessor {
  (images: ImageInput | readonly ImageInput[]): Promise<ProcessorOutputs>;
  readonly image_processor: IJepaImageProcessor;
  /** The fields of preprocessor_config.json. */
  readonly config: Record<string, unknown>;
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

export class AutoModel {
  /** @throws IJepaError `input/value` for options that are not there; what IJepaModel.fromPretrained throws */
  static async from_pretrained(model?: string | null, options: PretrainedOptions = {}): Promise<CallableModel<Encoder>> {
    return callable(await Encoder.fromPretrained(refOf(model), loadOptions(options)));
  }
}

export class AutoModelForImageClassification {
  /** @throws IJepaError as `AutoModel.from_pretrained` */
  static async from_pretrained(model?: string | null, options: PretrainedOptions = {}): Promise<CallableModel<Classifier>> {
    return callable(await Classifier.fromPretrained(refOf(model), loadOptions(options)));
  }
}

export class AutoProcessor {
  /** @throws IJepaError `config/*`, `hub/*`, `io/*`, `input/value` */
  static async from_pretrained(model: string, options: PretrainedOptions = {}): Promise<CallableProcessor> {
    return processorOf(await IJepaImageProcessor.fromPretrained(refOf(model) ?? model, loadOptions(options)));
  }
}

export function processorOf(processor: IJepaImageProcessor): CallableProcessor {
  const run = async (images: ImageInput | readonly ImageInput[]): Promise<ProcessorOutputs> => {
    const loaded = await Promise.all((Array.isArray(images) ? (images as readonly ImageInput[]) : [images as ImageInput]).map((image) => RawImage.read(image)));
    const pixels = processor.preprocess(loaded).pixelValues, [, , height, width] = pixels.dims;
    return {
      pixel_values: withMethods(pixels),
      original_sizes: loaded.map((image) => [image.height, image.width]),
      reshaped_input_sizes: loaded.map(() => [height, width]),
    };
  };
  return Object.assign(run, { image_processor: processor, config: processor.toConfig() });
}

function callable<M extends Encoder | Classifier>(model: M): CallableModel<M> {
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
    if (!Object.hasOwn(INPUTS, name)) throw refused(name, value, `An I-JEPA model has no input ${JSON.stringify(name)}; there is ${Object.keys(INPUTS).join(", ")}.`);
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
