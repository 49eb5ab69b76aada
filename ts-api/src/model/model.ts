import { runtime } from "#runtime";
import type { Backend, BackendId } from "../backends/backend.js";
import { openBackend, type Device } from "../backends/open.js";
import type { Threads } from "../backends/wasm/open.js";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { digestOf, DTYPES, NUMERICS_VERSION, type Dtype, type Numerics } from "../core/numerics.js";
import { Tensor } from "../core/tensor.js";
import { activationOf } from "../ops/activation.js";
import { openCheckpoint, type Checkpoint } from "../weights/checkpoint.js";
import { firstNonFinite } from "../weights/dtypes.js";
import type { IJepaConfig } from "./config.js";
import { Encoder } from "./encoder.js";
import { loadEncoder } from "./load.js";

/** What `progress_callback` is told, in the manner of transformers.js. */
export interface ProgressInfo {
  status: "initiate" | "progress" | "ready";
  /** The model's folder or URL. */
  name: string;
  /** The part just loaded, such as "encoder.layer.3"; absent before the first. */
  part?: string;
  /** Parts loaded and parts in all. */
  loaded: number;
  total: number;
  /** 0 to 100. */
  progress: number;
}

export interface LoadOptions {
  /** Weight format of the matrices; other formats are quantized while loading. Default "bf16". */
  dtype?: Dtype;
  /** Where it runs. Default "auto". It never changes a bit of the result. */
  device?: Device;
  /** Threads of the CPU backend: a number, or "auto" for one per processor. Default 1. It never changes a bit of the result. */
  threads?: Threads;
  signal?: AbortSignal | undefined;
  progress_callback?: ((info: ProgressInfo) => void) | undefined;
}

export interface ModelInputs {
  /** [images, channels, height, width], as IJepaImageProcessor makes it. */
  pixelValues: Tensor<"float32">;
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
  readonly #backend: Backend;
  readonly #encoder: Encoder;
  #queue: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(checkpoint: Checkpoint, dtype: Dtype, backend: Backend, encoder: Encoder) {
    this.config = checkpoint.config;
    this.preprocessorConfig = checkpoint.preprocessorConfig;
    this.dtype = dtype;
    this.device = backend.id;
    this.deviceDescription = backend.device;
    this.#backend = backend;
    this.#encoder = encoder;
  }

  /**
   * Loads a checkpoint in Hugging Face's layout, tensor by tensor, into the weight format `dtype`.
   *
   * @param ref a folder or URL with config.json and model.safetensors (or shards); default: the model of the package
   * @throws IJepaError `config/*`, `weights/*`, `io/read`, `backend/*`, `aborted`; TypeError for options of a wrong type
   */
  static async fromPretrained(ref: string = runtime.defaultModel, options: LoadOptions = {}): Promise<IJepaModel> {
    const { dtype = "bf16", device, threads, signal, progress_callback: report = () => {} } = options;
    if (!DTYPES.includes(dtype)) throw new TypeError(`dtype must be one of ${DTYPES.join(", ")}, not ${JSON.stringify(dtype)}.`);
    throwIfAborted(signal, `loading ${ref}`);
    report({ status: "initiate", name: ref, loaded: 0, total: 1, progress: 0 });
    const checkpoint = await openCheckpoint(ref, { signal });
    let backend: Backend | undefined;
    try {
      activationOf(checkpoint.config.hiddenAct);
      backend = await openBackend(device, { threads });
      const read = async (name: string) => {
        throwIfAborted(signal, `loading ${name}`);
        return checkpoint.tensor(name, signal);
      };
      const weights = await loadEncoder(backend, checkpoint.config, dtype, read, (part, loaded, total) =>
        report({ status: "progress", name: ref, part, loaded, total, progress: (100 * loaded) / total }),
      );
      const encoder = new Encoder(backend, checkpoint.config, dtype, weights, runtime.yieldToHost);
      report({ status: "ready", name: ref, loaded: 1, total: 1, progress: 100 });
      return new IJepaModel(checkpoint, dtype, backend, encoder);
    } catch (error) {
      backend?.dispose();
      throw error;
    } finally {
      await checkpoint.close();
    }
  }

  /**
   * Runs the encoder. Calls on one model run one after the other.
   *
   * @throws IJepaError `input/missing`, `input/shape` or `input/value` (NaN or infinite pixels) before anything runs; `aborted`
   *   between layers, after which the model can be used again
   */
  async forward(inputs: ModelInputs, options: ForwardOptions = {}): Promise<ModelOutput> {
    const pixels = checkPixels(inputs?.pixelValues, this.config);
    const result = this.#queue.then(() => {
      if (this.#disposed) throw new TypeError("The model was disposed.");
      throwIfAborted(options.signal, "waiting for an earlier call");
      return this.#encoder.encode(pixels.data, pixels.dims[0], options);
    });
    this.#queue = result.catch(() => {});
    const { lastHiddenState, hiddenStates } = await result;
    const dims = [pixels.dims[0], this.config.numPatches, this.config.hiddenSize];
    const output: ModelOutput = {
      lastHiddenState: new Tensor("float32", lastHiddenState, dims),
      numerics: { version: NUMERICS_VERSION, dtype: this.dtype, device: this.device, digest: await digestOf(lastHiddenState) },
    };
    if (hiddenStates !== undefined) output.hiddenStates = hiddenStates.map((state) => new Tensor("float32", state, dims));
    return output;
  }

  /** Frees the weights, after the calls under way. The model cannot be used afterwards. */
  async dispose(): Promise<void> {
    await this.#queue;
    if (!this.#disposed) this.#backend.dispose();
    this.#disposed = true;
  }
}

/** In the words of Hugging Face where it has some. */
function checkPixels(pixels: Tensor<"float32"> | undefined, config: IJepaConfig): Tensor<"float32"> {
  if (pixels === undefined) throw new IJepaError("input/missing", "You have to specify pixelValues.", { name: "pixelValues" });
  if (!(pixels instanceof Tensor) || pixels.type !== "float32") throw new TypeError("pixelValues must be a float32 Tensor.");
  const { numChannels, imageHeight, imageWidth } = config;
  const expected = `[images, ${numChannels}, ${imageHeight}, ${imageWidth}]`;
  const wrong = (message: string) => new IJepaError("input/shape", message, { name: "pixelValues", expected, actual: pixels.dims });
  const [images, channels, height, width] = pixels.dims;
  if (pixels.dims.length !== 4 || images === 0) throw wrong(`pixelValues must be ${expected}, not [${pixels.dims.join(", ")}].`);
  if (channels !== numChannels) {
    throw wrong(
      "Make sure that the channel dimension of the pixel values match with the one set in the configuration. " +
        `Expected ${numChannels} but got ${channels}.`,
    );
  }
  if (height !== imageHeight || width !== imageWidth) throw wrong(`Input image size (${height}*${width}) doesn't match model (${imageHeight}*${imageWidth}).`);
  const bad = firstNonFinite(pixels.data);
  if (bad >= 0) {
    throw new IJepaError("input/value", `pixelValues holds ${pixels.data[bad]} at index ${bad}; pixels must be finite.`, {
      name: "pixelValues",
      value: pixels.data[bad],
    });
  }
  return pixels;
}
