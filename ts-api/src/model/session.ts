/** What every model class shares: a checkpoint on a backend, and calls that run one after the other. */
import { runtime } from "#runtime";
import type { Backend } from "../backends/backend.js";
import { openDevice, type Device, type Opened, type OpenOptions } from "../backends/open.js";
import { throwIfAborted } from "../core/errors.js";
import { DTYPES, type Dtype } from "../core/numerics.js";
import { openCheckpoint, type Checkpoint } from "../weights/checkpoint.js";
import type { SourceOptions } from "../weights/source-options.js";
import type { ResearchOptions } from "../weights/torch/research.js";
import type { IJepaConfig } from "./config.js";
import { Encoder } from "./encoder.js";
import { loadEncoder } from "./load.js";
import { packParts, type TensorReader } from "./parts.js";

export interface LoadOptions extends SourceOptions, ResearchOptions, Pick<OpenOptions, "threads" | "gpuDevice" | "powerPreference" | "determinism"> {
  /**
   * Weight format of the matrices; other formats are converted while loading. Default: that of the checkpoint where it is nf4 or fp4
   * (bitsandbytes), else "bf16".
   */
  dtype?: Dtype;
  /** Where it runs. Default "auto". It never changes a bit of the result. */
  device?: Device;
}

/** The parts of a checkpoint beyond the encoder, as a model class asks for them. */
export type ExtraLoader<X> = (source: { config: IJepaConfig; has(name: string): boolean; read: TensorReader; backend: Backend }) => Promise<X>;

/** What a model computes with. */
export interface Resources<X> extends Opened {
  encoder: Encoder;
  extra: X;
}

export class Session<X> {
  #queue: Promise<unknown> = Promise.resolve();
  #resources: Resources<X> | undefined;

  private constructor(
    readonly config: IJepaConfig,
    readonly preprocessorConfig: Record<string, unknown> | undefined,
    readonly dtype: Dtype,
    resources: Resources<X>,
  ) {
    this.#resources = resources;
  }

  /** Throws TypeError once the model is disposed of. */
  get resources(): Resources<X> {
    if (this.#resources === undefined) throw new TypeError("The model was disposed.");
    return this.#resources;
  }

  /** Loads tensor by tensor into the weight format `dtype`; a failure leaves nothing open. */
  static async open<X>(ref: string = runtime.defaultModel, options: LoadOptions, loadExtra: ExtraLoader<X>): Promise<Session<X>> {
    const { device, signal, progress_callback: report = () => {} } = options;
    if (options.dtype !== undefined && !DTYPES.includes(options.dtype)) throw new TypeError(`dtype must be one of ${DTYPES.join(", ")}, not ${JSON.stringify(options.dtype)}.`);
    throwIfAborted(signal, `loading ${ref}`);
    report({ status: "initiate", name: ref, loaded: 0, total: 1, progress: 0 });
    const checkpoint: Checkpoint = await openCheckpoint(ref, options);
    let opened: Opened | undefined;
    try {
      const { config, preprocessorConfig } = checkpoint, dtype = options.dtype ?? checkpoint.quantized ?? "bf16";
      opened = await openDevice(device, { ...options, dtype });
      const { backend } = opened;
      const read = async (name: string) => {
        throwIfAborted(signal, `loading ${name}`);
        return checkpoint.tensor(name, signal);
      };
      const extra = await loadExtra({ config, has: (name) => checkpoint.tensors.has(name), read, backend });
      const weights = await loadEncoder(backend, packParts(config, dtype, read, (name) => checkpoint.codes(name, signal)), (part, loaded, total) =>
        report({ status: "progress", name: ref, part, loaded, total, progress: (100 * loaded) / total }),
      );
      const encoder = new Encoder(backend, config, dtype, weights, runtime.yieldToHost);
      report({ status: "ready", name: ref, loaded: 1, total: 1, progress: 100 });
      return new Session(config, preprocessorConfig, dtype, { ...opened, encoder, extra });
    } catch (error) {
      opened?.backend.dispose();
      throw error;
    } finally {
      await checkpoint.close();
    }
  }

  /** Runs `work` after all earlier work of this session. */
  async run<T>(signal: AbortSignal | undefined, work: (resources: Resources<X>) => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      throwIfAborted(signal, "waiting for an earlier call");
      return work(this.resources);
    });
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Frees the weights, after the calls under way; nothing keeps the memory alive afterwards. */
  async dispose(): Promise<void> {
    await this.#queue;
    this.#resources?.backend.dispose();
    this.#resources = undefined;
  }
}
