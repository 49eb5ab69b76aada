/** From requests' images to batches for the model, and from the batch's features back to each request. */
import { IJepaError, throwIfAborted } from "../core/errors.js";
import type { Numerics } from "../core/numerics.js";
import { Tensor } from "../core/tensor.js";
import type { DecodePool, PreparedImage } from "../decoding/pool.js";
import type { IJepaImageProcessor } from "../image/processor.js";
import type { IJepaForImageClassification } from "../model/classifier.js";
import type { IJepaModel } from "../model/model.js";

/** The served model; with a head it gives logits too. */
export type ServedModel = IJepaModel | IJepaForImageClassification;

/** What became of one image. */
export interface Encoded {
  /** Its pixels, upright. */
  readonly width: number;
  readonly height: number;
  /** [1, tokens, width of the model]. */
  readonly hidden: Tensor<"float32">;
  /** [1, classes], if the model has a head. */
  readonly logits: Tensor<"float32"> | undefined;
  /** Its digest is that of the batch. */
  readonly numerics: Numerics;
  /** What is wrong with its file; empty for an intact one. */
  readonly warnings: readonly string[];
}

export interface BatcherOptions {
  readonly decoders: DecodePool;
  /** Most pixels of an image. */
  readonly maxPixels: number;
  /** Called after each forward pass. */
  onBatch(images: number, seconds: number): void;
}

/** An image that waits for the model. */
interface Job {
  readonly image: PreparedImage;
  readonly signal: AbortSignal;
  resolve(result: Encoded): void;
  reject(error: Error): void;
}

/** Milliseconds that a batch that is not full waits for the next image that is being decoded. */
const LINGER_MS = 50;
const WAITING = "waiting for the model";
/** Batches of 1, 2, 4 and 8: as many sizes as the encoder keeps programs for. */
const MAX_BATCH = 8;
/** Tokens of one pass of the encoder; a batch beyond them gains nothing. */
const MAX_TOKENS = 1024;

export class Batcher {
  #queue: Job[] = [];
  #running = false;
  /** Ends the waiting for another image. */
  #arrive: (() => void) | undefined;
  readonly #maxBatch: number;

  constructor(
    private readonly model: ServedModel,
    private readonly processor: IJepaImageProcessor,
    private readonly options: BatcherOptions,
  ) {
    let batch = MAX_BATCH;
    while (batch > 1 && batch * model.config.numPatches > MAX_TOKENS) batch /= 2;
    this.#maxBatch = batch;
  }

  /** Images that wait for their turn. */
  get waiting(): number {
    return this.options.decoders.waiting + this.#queue.length;
  }

  /**
   * Decodes and encodes an image file when its turn comes.
   *
   * @param source the image's name in messages
   * @throws IJepaError `image/*`, `backend/*`; `aborted` at once, even while it waits
   */
  async encode(bytes: Uint8Array, source: string, signal: AbortSignal): Promise<Encoded> {
    const { decoders, maxPixels } = this.options;
    const image = await decoders.prepare(bytes, this.processor, { source, maxPixels, signal });
    throwIfAborted(signal, WAITING);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        signal.removeEventListener("abort", giveUp);
        act();
      };
      const job: Job = { image, signal, resolve: (result) => settle(() => resolve(result)), reject: (error) => settle(() => reject(error)) };
      const giveUp = () => {
        this.#queue = this.#queue.filter((waiting) => waiting !== job);
        this.#keepPace();
        job.reject(new IJepaError("aborted", `Aborted while ${WAITING}.`, { during: WAITING }, { cause: signal.reason }));
      };
      signal.addEventListener("abort", giveUp);
      this.#queue.push(job);
      this.#keepPace();
      this.#arrive?.();
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#queue.length > 0) {
      await this.#linger();
      // All waiting images may have been aborted meanwhile.
      if (this.#queue.length === 0) break;
      const batch = this.#nextBatch();
      this.#keepPace();
      await this.#forward(batch);
    }
    this.#running = false;
  }

  /** While images are being decoded, wait: a larger batch costs less than several small ones. */
  async #linger(): Promise<void> {
    for (let before = 0; before < this.#queue.length && this.#queue.length < this.#maxBatch && this.options.decoders.running > 0; ) {
      before = this.#queue.length;
      await new Promise<void>((resolve) => {
        this.#arrive = resolve;
        setTimeout(resolve, LINGER_MS);
      });
    }
    this.#arrive = undefined;
  }

  /** Waiting images take more memory as pixels than as files, so at most two batches are decoded ahead. */
  #keepPace(): void {
    const { decoders } = this.options;
    if (this.#queue.length < 2 * this.#maxBatch) decoders.resume();
    else decoders.pause();
  }

  /** The first, and those after it that have its shape: a power of two of them. */
  #nextBatch(): Job[] {
    const shape = ({ image }: Job) => image.pixelValues.dims.join(), first = shape(this.#queue[0]);
    const other = this.#queue.findIndex((job) => shape(job) !== first);
    const most = Math.min(this.#maxBatch, other < 0 ? this.#queue.length : other);
    return this.#queue.splice(0, 2 ** Math.floor(Math.log2(most)));
  }

  async #forward(batch: readonly Job[]): Promise<void> {
    if (batch.every(({ signal }) => signal.aborted)) return;
    const all = whenAllAborted(batch.map(({ signal }) => signal));
    const start = performance.now();
    try {
      const output = await this.model.forward({ pixelValues: stack(batch) }, { signal: all.signal });
      const { lastHiddenState, numerics } = output, logits = "logits" in output ? output.logits : undefined;
      batch.forEach(({ image: { width, height, warnings }, resolve }, i) => {
        resolve({ width, height, hidden: slice(lastHiddenState, i), logits: logits && slice(logits, i), numerics, warnings });
      });
    } catch (error) {
      for (const { reject } of batch) reject(error as Error);
    } finally {
      all.release();
      this.options.onBatch(batch.length, (performance.now() - start) / 1000);
    }
  }
}

function stack(batch: readonly Job[]): Tensor<"float32"> {
  const [{ image: { pixelValues: pixels } }] = batch;
  if (batch.length === 1) return pixels;
  const data = new Float32Array(batch.length * pixels.size);
  batch.forEach(({ image }, i) => data.set(image.pixelValues.data, i * pixels.size));
  return new Tensor("float32", data, [batch.length, ...pixels.dims.slice(1)]);
}

/** Row `index` of the first axis, as a tensor of one row. */
function slice({ data, dims }: Tensor<"float32">, index: number): Tensor<"float32"> {
  const size = data.length / dims[0];
  return new Tensor("float32", data.slice(index * size, (index + 1) * size), [1, ...dims.slice(1)]);
}

/** A signal that is aborted when no request waits any more. */
function whenAllAborted(signals: readonly AbortSignal[]): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const look = () => {
    if (signals.every(({ aborted }) => aborted)) controller.abort();
  };
  for (const signal of signals) signal.addEventListener("abort", look);
  return { signal: controller.signal, release: () => signals.forEach((signal) => signal.removeEventListener("abort", look)) };
}
