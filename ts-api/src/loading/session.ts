/** The common part of all model classes: a checkpoint on a backend, and calls that run one after the other. */
import { runtime } from "#runtime";
import type { Backend } from "../backends/backend.js";
import { openDevice, type Device, type Opened, type OpenOptions } from "../backends/open.js";
import { IJepaError, isIJepaError, throwIfAborted } from "../core/errors.js";
import { DTYPES, type Dtype, type Group } from "../core/numerics.js";
import { wrongType, type OptionNames } from "../core/options.js";
import { show } from "../core/show.js";
import { isWrongWeights, type Checkpoint } from "../weights/checkpoint.js";
import { openModelCheckpoint, type HeadOptions } from "../weights/head-checkpoint.js";
import { randomCheckpoint } from "../weights/random-weights.js";
import { isModelSource, type ModelRef } from "../weights/model-folder.js";
import { SOURCE_OPTIONS, type SourceOptions } from "../weights/source-options.js";
import type { ResearchOptions } from "../weights/torch/research.js";
import { IJepaConfig } from "../config/config.js";
import { Encoder } from "../encoder/encoder.js";
import { loadEncoder, type LoadProgress } from "../encoder/place-weights.js";
import { formatOf, gpuOf, partsOf, type TensorReader } from "./pack-checkpoint.js";

type DeviceOption = "threads" | "revectorize" | "gpuDevice" | "powerPreference" | "determinism";

/** How a model is loaded, and the device that it computes on. */
export interface LoadOptions extends SourceOptions, ResearchOptions, Pick<OpenOptions, DeviceOption>, Pick<HeadOptions, "encoder"> {
  /**
   * Weight format of the matrices; other formats are converted while loading. Default: that of packed files, that of the checkpoint if it
   * is nf4 or fp4 (bitsandbytes), the one that a head was made for, else "bf16".
   */
  dtype?: Dtype | undefined;
  /** int4: inputs that share a scale. Default 32; 64 is smaller and further from the original. */
  groupSize?: Group | undefined;
  /**
   * False: only two layers are in memory, the one that computes and the next, which is read meanwhile. Every forward reads all layers.
   * The bits are the same. Best with packed files: layers of others are packed again each time. Default true.
   */
  resident?: boolean | undefined;
  /** Where it runs. Default "auto". It never changes a bit of the result. */
  device?: Device | undefined;
}

/** The parts of a checkpoint beyond the encoder that a model class needs. */
export type ExtraLoader<X> = (source: { config: IJepaConfig; has(name: string): boolean; read: TensorReader; backend: Backend }) => Promise<X>;

/** What a model computes with. */
export interface Resources<X> extends Opened {
  encoder: Encoder;
  extra: X;
}

/** Options of models with random weights. */
export interface RandomOptions extends Pick<LoadOptions, "dtype" | "device" | "signal" | "progress_callback" | DeviceOption> {
  /** Whole number from 0 to 2^53 - 1: the same seed and configuration give the same weights in every engine. Default 0. */
  seed?: number;
}

const DEVICE_OPTIONS = { threads: true, revectorize: true, gpuDevice: true, powerPreference: "string", determinism: "string" } as const;
export const LOAD_OPTIONS: OptionNames<LoadOptions> = {
  ...SOURCE_OPTIONS, ...DEVICE_OPTIONS, checkpointKey: true, config: true, dtype: true, groupSize: true, resident: "boolean", device: true, encoder: true,
};
export const RANDOM_OPTIONS: OptionNames<RandomOptions> = {
  ...DEVICE_OPTIONS, dtype: true, device: true, signal: "AbortSignal", progress_callback: "function", seed: true,
};

export class Session<X> {
  readonly config: IJepaConfig;
  readonly preprocessorConfig: Record<string, unknown> | undefined;
  readonly dtype: Dtype;
  /** int4: inputs that share a scale. */
  readonly groupSize: Group | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #resources: Resources<X> | undefined;
  #opening: Promise<void> | undefined;
  #opened: Opened | undefined;
  #disposed = false;
  readonly #load: () => Promise<Resources<X>>;

  /**
   * @param checkpoint the checkpoint that the first `ready` loads
   * @param reopen opens the same checkpoint again when its tensors are needed later
   */
  private constructor(
    private readonly checkpoint: Checkpoint,
    private readonly options: LoadOptions,
    loadExtra: ExtraLoader<X>,
    private readonly reopen: (signal?: AbortSignal) => Promise<Checkpoint>,
  ) {
    this.config = checkpoint.config;
    this.preprocessorConfig = checkpoint.preprocessorConfig;
    const format = formatOf(checkpoint, options);
    this.dtype = format.dtype;
    this.groupSize = format.dtype === "int4" ? format.groupSize : undefined;
    this.#load = () => load(checkpoint, { ...options, ...format }, loadExtra);
  }

  /** Loads tensor by tensor into the weight format `dtype`; a failure leaves nothing open. */
  static async open<X>(ref: ModelRef = runtime.defaultModel, options: LoadOptions, loadExtra: ExtraLoader<X>): Promise<Session<X>> {
    checkDtype(options.dtype);
    const name = isModelSource(ref) ? ref.name : ref;
    throwIfAborted(options.signal, `loading ${name}`);
    options.progress_callback?.({ status: "initiate", name, loaded: 0, total: 1, progress: 0 });
    const open = (signal?: AbortSignal) => openModelCheckpoint(ref, { ...options, signal, progress_callback: undefined });
    const checkpoint = await openModelCheckpoint(ref, options);
    let streaming = false;
    try {
      const session = new Session(checkpoint, options, loadExtra, open);
      await session.ready();
      streaming = options.resident === false;
      return session;
    } catch (error) {
      if (isWrongWeights(error) && (await checkpoint.repair?.(options.signal))) return await Session.open(ref, options, loadExtra);
      throw error;
    } finally {
      if (!streaming) await checkpoint.close();
    }
  }

  /** Random weights; nothing is made or opened before `ready`. */
  static random<X>(config: IJepaConfig, { seed = 0, ...options }: RandomOptions, loadExtra: ExtraLoader<X>): Session<X> {
    if (!(config instanceof IJepaConfig)) throw new TypeError(`A model with random weights takes an IJepaConfig, not ${show(config)}; fromPretrained loads one that is stored.`);
    if (!Number.isSafeInteger(seed) || seed < 0) throw wrongType("seed", "a whole number from 0 to 2^53 - 1", seed);
    checkDtype(options.dtype);
    const checkpoint = randomCheckpoint(config, seed);
    return new Session(checkpoint, options, loadExtra, async () => checkpoint);
  }

  /** Opens the backend and loads the weights, once; after a failure the next call tries again. */
  async ready(): Promise<void> {
    if (this.#disposed) throw new TypeError("The model was disposed.");
    this.#opening ??= this.#load().then(
      (resources) => {
        this.#resources = resources;
        this.#opened = resources;
      },
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  /**
   * The tensors of the checkpoint's files that are not used.
   * @param names canonical names of those that are
   */
  unused(names: readonly string[]): string[] {
    return this.checkpoint.unused(names);
  }

  /** The backend is open, or was. */
  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  /** The backend, open or disposed of. Throws TypeError before `ready`. */
  get opened(): Opened {
    if (this.#opened === undefined) throw new TypeError("The model is not open yet: await model.ready first.");
    return this.#opened;
  }

  /**
   * The checkpoint that the weights came from, opened again.
   * @throws IJepaError `weights/missing` if it is gone, or has another configuration by now
   */
  async source(signal?: AbortSignal): Promise<Checkpoint> {
    const gone = (why: string, names: string[], cause?: unknown) => {
      const message = `Saving needs the original tensors, since the model holds them rounded to ${this.dtype}. They cannot be read again: ${why}`;
      return new IJepaError("weights/missing", message, { what: "checkpoint", names }, { cause });
    };
    const checkpoint = await this.reopen(signal).catch((cause: unknown) => {
      throw isIJepaError(cause) && cause.code !== "aborted" ? gone(cause.message, [], cause) : cause;
    });
    if (JSON.stringify(checkpoint.config) === JSON.stringify(this.config) && checkpoint.packed === undefined) return checkpoint;
    await checkpoint.close();
    if (checkpoint.packed !== undefined) throw gone(`${checkpoint.ref} has packed files.`, [checkpoint.ref]);
    throw gone(`${checkpoint.ref} has changed its configuration.`, [checkpoint.ref]);
  }

  /** Runs `work` after all earlier work of this session. */
  async run<T>(signal: AbortSignal | undefined, work: (resources: Resources<X>) => Promise<T>): Promise<T> {
    const result = this.#queue.then(async () => {
      throwIfAborted(signal, "waiting for an earlier call");
      await this.ready();
      return work(this.#resources!);
    });
    this.#queue = result.catch(() => {});
    return result;
  }

  /**
   * Frees the weights and closes the files that they are streamed from, after pending calls; nothing keeps the memory alive afterwards.
   */
  async dispose(): Promise<void> {
    await this.#queue;
    await this.#opening?.catch(() => {});
    this.#disposed = true;
    if (this.#resources === undefined) return;
    this.#resources.backend.dispose();
    this.#resources = undefined;
    if (this.options.resident === false) await this.checkpoint.close();
  }
}

function checkDtype(dtype: Dtype | undefined): void {
  if (dtype !== undefined && !DTYPES.includes(dtype)) throw wrongType("dtype", `one of ${DTYPES.join(", ")}`, dtype);
}

async function load<X>(checkpoint: Checkpoint, options: LoadOptions & { dtype: Dtype }, loadExtra: ExtraLoader<X>): Promise<Resources<X>> {
  const { resident, signal, progress_callback: report = () => {} } = options, { ref: name, config } = checkpoint, { dtype } = options;
  const opened = await openDevice(options.device, { ...options, dtype }), { backend } = opened;
  try {
    const read = async (tensor: string) => {
      throwIfAborted(signal, `loading ${tensor}`);
      return checkpoint.tensor(tensor, signal);
    };
    const extra = await loadExtra({ config, has: (tensor) => checkpoint.tensors.has(tensor), read, backend });
    const onProgress: LoadProgress = (part, loaded, total) =>
      report({ status: "progress", name, part, loaded, total, progress: (100 * loaded) / total });
    const parts = partsOf(checkpoint, { dtype, groupSize: options.groupSize, threads: options.threads, revectorize: options.revectorize, ...gpuOf(backend) });
    const weights = await loadEncoder(backend, parts, { resident, signal, onProgress });
    const encoder = new Encoder(backend, config, dtype, weights, runtime.yieldToHost);
    report({ status: "ready", name, loaded: 1, total: 1, progress: 100 });
    return { ...opened, encoder, extra };
  } catch (error) {
    backend.dispose();
    throw error;
  }
}
