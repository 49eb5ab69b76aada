import type { Backend } from "../backends/backend.js";
import type { Numerics } from "../core/numerics.js";
import { Tensor } from "../core/tensor.js";
import { activationOf } from "../ops/activation.js";
import type { IJepaConfig } from "./config.js";
import { Head } from "./head.js";
import { checkInputs } from "./inputs.js";
import { statesOf, type LayerOutputs } from "./outputs.js";
import type { TensorReader } from "./parts.js";
import { firstToken } from "./pooling.js";
import { PreTrainedModel } from "./pretrained.js";
import { Session, type LoadOptions } from "./session.js";

export type { ProgressInfo } from "../weights/source-options.js";
export type { LoadOptions } from "./session.js";

export interface ModelLoadOptions extends LoadOptions {
  /** Load `embeddings.mask_token`, which `boolMaskedPos` needs. Default false, as in Hugging Face. */
  useMaskToken?: boolean;
  /** Load the pooler, whose output is then in `poolerOutput`. Default false, as in Hugging Face. */
  addPoolingLayer?: boolean;
}

export interface ModelInputs {
  /** [images, channels, height, width], as IJepaImageProcessor makes it. */
  pixelValues: Tensor<"float32">;
  /**
   * [images, tokens], 1 where a patch is replaced by the mask token, before positions are added. Needs `useMaskToken`. As in all
   * masks, the tokens are those that are encoded: with `keepPatches` the kept ones.
   */
  boolMaskedPos?: Tensor | undefined;
  /**
   * [images, tokens], 0 where nobody attends to the token, else 1: transformers 5's bidirectional mask, as its eager attention
   * applies it. Where all of an image's places are 0, every token attends to all alike.
   */
  attentionMask?: Tensor | undefined;
  /** [heads] or [layers, heads]: factors of the attention probabilities, as Hugging Face's eager attention applies them. */
  headMask?: Tensor<"float32"> | undefined;
  /**
   * [images, kept] int32: encode only these patches of each image, counted row by row, in this order and at the positions they
   * have in the whole image, as I-JEPA's context encoder does in training. The output has `kept` tokens.
   */
  keepPatches?: Tensor<"int32"> | undefined;
  /** Accept images of another size than the config's, and interpolate the position embeddings (torch's bicubic). Default false. */
  interpolatePosEncoding?: boolean | undefined;
}

export interface ForwardOptions {
  /** Looked at before each layer. */
  signal?: AbortSignal | undefined;
  /** Also return `hiddenStates`. */
  outputHiddenStates?: boolean | undefined;
  /** Also return `attentions`. */
  outputAttentions?: boolean | undefined;
}

export interface ModelOutput extends LayerOutputs {
  /** [images, tokens, width]: the encoder's output after the final layer norm. */
  lastHiddenState: Tensor<"float32">;
  /** [images, poolerOutputSize]: pooler_act of a dense layer on the first token. With `addPoolingLayer`. */
  poolerOutput?: Tensor<"float32">;
  numerics: Numerics;
}

interface Extra {
  maskToken: Float32Array | undefined;
  pooler: Head | undefined;
}

/** An I-JEPA encoder on a backend. */
export class IJepaModel extends PreTrainedModel<Extra> {
  /**
   * Loads a checkpoint, tensor by tensor, into the weight format `dtype`.
   *
   * @param ref a folder or URL with config.json and model.safetensors (or shards), the name of a model on the Hugging Face Hub, or a
   *   .pth.tar of the research code; default: the model of the package
   * @throws IJepaError `config/*`, `weights/*`, `hub/*`, `io/*`, `backend/*`, `aborted`; TypeError for options of a wrong type
   */
  static async fromPretrained(ref?: string, options: ModelLoadOptions = {}): Promise<IJepaModel> {
    const session = await Session.open<Extra>(ref, options, async ({ config, read, backend }) => ({
      maskToken: options.useMaskToken ? await read("embeddings.mask_token") : undefined,
      pooler: options.addPoolingLayer ? await loadPooler(config, read, backend) : undefined,
    }));
    return new IJepaModel(session);
  }

  /**
   * Runs the encoder. Calls on one model run one after the other.
   *
   * @throws IJepaError `input/missing`, `input/shape` or `input/value` (NaN or infinite pixels) before anything runs; `aborted`
   *   between layers, after which the model can be used again
   */
  async forward(inputs: ModelInputs, options: ForwardOptions = {}): Promise<ModelOutput> {
    const { extra } = this.session.resources;
    const { pixels, ...checked } = checkInputs(inputs, this.config, extra.maskToken);
    const { images } = pixels, { hiddenSize } = this.config, { pooler } = extra;
    const { result, lastHiddenState, pooled } = await this.session.run(options.signal, async ({ encoder }) => {
      const result = await encoder.encode(pixels, { ...options, ...checked });
      const lastHiddenState = new Tensor("float32", result.lastHiddenState, [images, result.tokens, hiddenSize]);
      return { result, lastHiddenState, pooled: await pooler?.apply(firstToken(lastHiddenState).data, images) };
    });
    const output: ModelOutput = { lastHiddenState, numerics: await this.numericsOf(lastHiddenState.data) };
    if (pooled !== undefined) output.poolerOutput = new Tensor("float32", pooled, [images, pooler!.outputs]);
    return Object.assign(output, statesOf(result, images, this.config));
  }
}

async function loadPooler(config: IJepaConfig, read: TensorReader, backend: Backend): Promise<Head> {
  const weight = await read("pooler.dense.weight"), bias = await read("pooler.dense.bias");
  return new Head(backend, "pooler.dense", weight, bias, config.hiddenSize, activationOf(config.poolerAct));
}
