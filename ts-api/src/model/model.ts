import type { BackendId } from "../backends/backend.js";
import { digestOf, NUMERICS_VERSION, type Dtype, type Numerics } from "../core/numerics.js";
import { Tensor } from "../core/tensor.js";
import type { IJepaConfig } from "./config.js";
import { checkMask, checkPixels } from "./inputs.js";
import { Session, type LoadOptions } from "./session.js";

export type { LoadOptions, ProgressInfo } from "./session.js";

export interface ModelLoadOptions extends LoadOptions {
  /** Load `embeddings.mask_token`, which `boolMaskedPos` needs. Default false, as in Hugging Face. */
  useMaskToken?: boolean;
}

export interface ModelInputs {
  /** [images, channels, height, width], as IJepaImageProcessor makes it. */
  pixelValues: Tensor<"float32">;
  /** [images, patches], 1 where a patch is replaced by the mask token, before positions are added. Needs `useMaskToken`. */
  boolMaskedPos?: Tensor | undefined;
  /** Accept images of another size than the config's, and interpolate the position embeddings (torch's bicubic). Default false. */
  interpolatePosEncoding?: boolean | undefined;
}

export interface ForwardOptions {
  /** Looked at before each layer. */
  signal?: AbortSignal | undefined;
  /** Also return `hiddenStates`. */
  outputHiddenStates?: boolean | undefined;
}

export interface ModelOutput {
  /** [images, tokens, width]: the encoder's output after the final layer norm. */
  lastHiddenState: Tensor<"float32">;
  /** The embedding and the output of each layer, before the final norm; each [images, tokens, width]. */
  hiddenStates?: Tensor<"float32">[];
  numerics: Numerics;
}

interface Extra {
  maskToken: Float32Array | undefined;
}

/** An I-JEPA encoder on a backend. */
export class IJepaModel {
  readonly config: IJepaConfig;
  readonly dtype: Dtype;
  /** Backend that runs it. */
  readonly device: BackendId;
  /** The backend in words: runtime, SIMD level, inner loop, threads. */
  readonly deviceDescription: string;
  /** preprocessor_config.json of the checkpoint, where it had one. */
  readonly preprocessorConfig: Record<string, unknown> | undefined;
  readonly #session: Session<Extra>;

  private constructor(session: Session<Extra>) {
    this.config = session.config;
    this.preprocessorConfig = session.preprocessorConfig;
    this.dtype = session.dtype;
    this.device = session.backend.id;
    this.deviceDescription = session.backend.device;
    this.#session = session;
  }

  /**
   * Loads a checkpoint in Hugging Face's layout, tensor by tensor, into the weight format `dtype`.
   *
   * @param ref a folder or URL with config.json and model.safetensors (or shards); default: the model of the package
   * @throws IJepaError `config/*`, `weights/*`, `io/read`, `backend/*`, `aborted`; TypeError for options of a wrong type
   */
  static async fromPretrained(ref?: string, options: ModelLoadOptions = {}): Promise<IJepaModel> {
    const session = await Session.open<Extra>(ref, options, async ({ read }) => ({
      maskToken: options.useMaskToken ? await read("embeddings.mask_token") : undefined,
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
    const { encoder, extra } = this.#session;
    const pixels = checkPixels(inputs?.pixelValues, this.config, inputs?.interpolatePosEncoding);
    const mask = checkMask(inputs.boolMaskedPos, this.config, pixels, extra.maskToken);
    const result = await this.#session.run(options.signal, () => encoder.encode(pixels, { ...options, ...extra, mask, interpolatePosEncoding: inputs.interpolatePosEncoding }));
    const dims = [pixels.images, result.tokens, this.config.hiddenSize];
    const output: ModelOutput = {
      lastHiddenState: new Tensor("float32", result.lastHiddenState, dims),
      numerics: { version: NUMERICS_VERSION, dtype: this.dtype, device: this.device, digest: await digestOf(result.lastHiddenState) },
    };
    if (result.hiddenStates !== undefined) output.hiddenStates = result.hiddenStates.map((state) => new Tensor("float32", state, dims));
    return output;
  }

  /** Frees the weights, after the calls under way. The model cannot be used afterwards. */
  async dispose(): Promise<void> {
    await this.#session.dispose();
  }
}
