/** The encoder as users load it: pixels in, hidden states out. */
import type { Backend } from "../backends/backend.js";
import type { Numerics } from "../core/numerics.js";
import { readOptions, type OptionNames } from "../core/options.js";
import { Tensor } from "../core/tensor.js";
import { activationOf } from "../ops/activation.js";
import { expectedTensors } from "../weights/tensor-names.js";
import type { SaveLayout } from "../weights/save.js";
import { IJepaConfig } from "../config/config.js";
import { Head } from "./head.js";
import { checkInputs, MODEL_INPUTS, readForward, type ForwardOptions, type ModelInputs } from "./inputs.js";
import { statesOf, type LayerOutputs } from "./outputs.js";
import type { TensorReader } from "../loading/pack-checkpoint.js";
import { firstToken } from "./pooling.js";
import { PreTrainedModel } from "./pretrained.js";
import { modelAndOptions, type ModelRef } from "../weights/model-folder.js";
import { LOAD_OPTIONS, RANDOM_OPTIONS, Session, type ExtraLoader, type LoadOptions, type RandomOptions } from "../loading/session.js";

export type { ModelRef, ModelSource } from "../weights/model-folder.js";
export type { ProgressInfo } from "../weights/source-options.js";
export type { EitherPlace, ForwardOptions, ModelInputs } from "./inputs.js";
export type { LoadOptions, RandomOptions } from "../loading/session.js";

/** Options of `IJepaModel.fromPretrained`. */
export interface ModelLoadOptions extends LoadOptions {
  /** Load `embeddings.mask_token`, which `boolMaskedPos` needs. Default false, as in Hugging Face. */
  useMaskToken?: boolean;
  /** Load the pooler, whose output is then in `poolerOutput`. Default false, as in Hugging Face. */
  addPoolingLayer?: boolean;
}

/** What `IJepaModel.forward` gives. */
export interface ModelOutput extends LayerOutputs {
  /** `[images, tokens, width]`: the encoder's output after the final layer norm. */
  lastHiddenState: Tensor<"float32">;
  /** `[images, poolerOutputSize]`: pooler_act of a dense layer on the first token. With `addPoolingLayer`. */
  poolerOutput?: Tensor<"float32">;
  /** How the result was made, and the digest of its bits. */
  numerics: Numerics;
}

interface Extra {
  maskToken: Float32Array | undefined;
  pooler: Head | undefined;
}

/** Options of `new IJepaModel`. */
export interface ModelInitOptions extends RandomOptions, Pick<ModelLoadOptions, "useMaskToken" | "addPoolingLayer"> {}

const EXTRAS = { useMaskToken: "boolean", addPoolingLayer: "boolean" } as const;
const MODEL_OPTIONS: OptionNames<ModelLoadOptions> = { ...LOAD_OPTIONS, ...EXTRAS };
const INIT_OPTIONS: OptionNames<ModelInitOptions> = { ...RANDOM_OPTIONS, ...EXTRAS };

/** An I-JEPA encoder on a backend. */
export class IJepaModel extends PreTrainedModel<Extra> {
  protected readonly layout: SaveLayout;
  readonly #hasMaskToken: boolean;

  /**
   * A model with random weights, of Hugging Face's distributions and our own generator: the same `seed` gives the same weights
   * everywhere. Nothing is made or opened before the first `forward`, or `await model.ready`. (`session` is what fromPretrained loaded.)
   *
   * @throws TypeError for options of a wrong type; IJepaError `input/value` for unknown ones
   */
  constructor(config: IJepaConfig = new IJepaConfig(), given: ModelInitOptions = {}, session?: Session<Extra>) {
    const options = session === undefined ? readOptions(given, INIT_OPTIONS, "IJepaModel") : given;
    super(session ?? Session.random(config, options, extraLoader(options)));
    const { useMaskToken: maskToken = false, addPoolingLayer: pooler = false } = options;
    this.#hasMaskToken = maskToken;
    this.layout = { architecture: "IJepaModel", names: [...expectedTensors(this.config, { maskToken, pooler }).keys()], nameOf: (name) => name };
  }

  /** The model of the package. Throws the same errors as with a named model. */
  static fromPretrained(options: ModelLoadOptions): Promise<IJepaModel>;
  /**
   * Loads a checkpoint, tensor by tensor, into the weight format `dtype`.
   *
   * @param ref a folder or URL with config.json and model.safetensors (or shards), the name of a model on the Hugging Face Hub, or a
   *   .pth.tar of the research code, or files that the caller opens; default: the model of the package
   * @throws IJepaError `config/*`, `weights/*`, `hub/*`, `io/*`, `backend/*`, `aborted`; TypeError for options of a wrong type
   */
  static fromPretrained(ref?: ModelRef | URL, options?: ModelLoadOptions | null): Promise<IJepaModel>;
  static async fromPretrained(ref?: ModelRef | URL | ModelLoadOptions, given?: ModelLoadOptions | null): Promise<IJepaModel> {
    const [model, rest] = modelAndOptions(ref, given), options = readOptions(rest, MODEL_OPTIONS, "IJepaModel.fromPretrained");
    const session = await Session.open(model, options, extraLoader(options));
    return new IJepaModel(session.config, options, session);
  }

  /**
   * Runs the encoder. Calls on one model run one after the other.
   *
   * @throws IJepaError `input/missing`, `input/shape` or `input/value` (NaN or infinite pixels) before anything runs; `aborted`
   *   between layers, after which the model can be used again
   */
  async forward(given: ModelInputs, givenOptions: ForwardOptions = {}): Promise<ModelOutput> {
    const { inputs, options } = readForward(given, givenOptions, MODEL_INPUTS);
    const { pixels, ...checked } = checkInputs(inputs, this.config, options.interpolatePosEncoding, this.#hasMaskToken);
    const { images } = pixels, { hiddenSize, poolerOutputSize } = this.config;
    const { result, lastHiddenState, pooled } = await this.session.run(options.signal, async ({ encoder, extra }) => {
      const result = await encoder.encode(pixels, { ...options, ...checked, maskToken: extra.maskToken });
      const lastHiddenState = new Tensor("float32", result.lastHiddenState, [images, result.tokens, hiddenSize]);
      return { result, lastHiddenState, pooled: await extra.pooler?.apply(firstToken(lastHiddenState).data, images) };
    });
    const output: ModelOutput = { lastHiddenState, numerics: await this.numericsOf(lastHiddenState.data) };
    if (pooled !== undefined) output.poolerOutput = new Tensor("float32", pooled, [images, poolerOutputSize]);
    return Object.assign(output, statesOf(result, images, this.config));
  }
}

function extraLoader({ useMaskToken, addPoolingLayer }: ModelInitOptions): ExtraLoader<Extra> {
  return async ({ config, read, backend }) => ({
    maskToken: useMaskToken ? await read("embeddings.mask_token") : undefined,
    pooler: addPoolingLayer ? await loadPooler(config, read, backend) : undefined,
  });
}

async function loadPooler(config: IJepaConfig, read: TensorReader, backend: Backend): Promise<Head> {
  const weight = await read("pooler.dense.weight"), bias = await read("pooler.dense.bias");
  return new Head(backend, "pooler.dense", weight, bias, config.hiddenSize, activationOf(config.poolerAct));
}
