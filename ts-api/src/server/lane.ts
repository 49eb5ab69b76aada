/** The one place where work is done: images are decoded one after the other, and those that wait are encoded together. */
import { IJepaError, throwIfAborted } from "../core/errors.js";
import type { Numerics } from "../core/numerics.js";
import { Tensor } from "../core/tensor.js";
import type { IJepaImageProcessor } from "../image/processor.js";
import { decodeImage } from "../image/decode.js";
import type { IJepaForImageClassification } from "../model/classifier.js";
import type { IJepaModel } from "../model/model.js";

/** A model with a head gives logits too. */
export type ServedModel = IJepaModel | IJepaForImageClassification;

/** What became of one image. */
export interface Encoded {
  /** Its pixels, upright. */
  readonly width: number;
  readonly height: number;
  /** [1, tokens, width of the model]. */
  readonly hidden: Tensor<"float32">;
  /** [1, classes], where the model has a head. */
  readonly logits: Tensor<"float32"> | undefined;
  /** Its digest is that of the batch. */
  readonly numerics: Numerics;
}

export interface LaneOptions {
  /** Most pixels of an image. */
  readonly maxPixels: number;
  /** Told of each forward pass. */
  onBatch(images: number, seconds: number): void;
}

interface Job {
  readonly bytes: Uint8Array;
  /** How messages call the image. */
  readonly source: string;
  readonly signal: AbortSignal;
  resolve(result: Encoded): void;
  reject(error: Error): void;
}

/** A job whose pixels are there. */
interface Decoded {
  readonly job: Job;
  readonly width: number;
  readonly height: number;
  readonly pixels: Tensor<"float32">;
}

const WAITING = "waiting for the model";
/** Batches of 1, 2, 4 and 8: as many sizes as the encoder keeps programs for. */
const MAX_BATCH = 8;
/** Tokens of one pass of the encoder; a batch beyond them gains nothing. */
const MAX_TOKENS = 1024;

export class Lane {
  #queue: Job[] = [];
  #running = false;
  readonly #maxBatch: number;

  constructor(
    private readonly model: ServedModel,
    private readonly processor: IJepaImageProcessor,
    private readonly options: LaneOptions,
  ) {
    let batch = MAX_BATCH;
    while (batch > 1 && batch * model.config.numPatches > MAX_TOKENS) batch /= 2;
    this.#maxBatch = batch;
  }

  /** Images that wait for their turn. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Decodes and encodes an image file when its turn comes.
   *
   * @param source how messages call the image
   * @throws IJepaError `image/*`, `backend/*`; `aborted` at once, also while it waits
   */
  async encode(bytes: Uint8Array, source: string, signal: AbortSignal): Promise<Encoded> {
    throwIfAborted(signal, WAITING);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        signal.removeEventListener("abort", giveUp);
        act();
      };
      const job: Job = { bytes, source, signal, resolve: (result) => settle(() => resolve(result)), reject: (error) => settle(() => reject(error)) };
      const giveUp = () => {
        this.#queue = this.#queue.filter((waiting) => waiting !== job);
        job.reject(new IJepaError("aborted", `Aborted while ${WAITING}.`, { during: WAITING }, { cause: signal.reason }));
      };
      signal.addEventListener("abort", giveUp);
      this.#queue.push(job);
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#queue.length > 0) {
      const decoded = await this.#decode(this.#queue.splice(0, this.#maxBatch));
      for (const batch of this.#split(decoded)) await this.#forward(batch);
    }
    this.#running = false;
  }

  async #decode(jobs: readonly Job[]): Promise<Decoded[]> {
    const { maxPixels } = this.options, decoded: Decoded[] = [];
    for (const job of jobs) {
      if (job.signal.aborted) continue;
      try {
        const image = await decodeImage(job.bytes, { source: job.source, maxPixels });
        const { pixelValues: pixels } = this.processor.preprocess(image);
        decoded.push({ job, width: image.width, height: image.height, pixels });
      } catch (error) {
        job.reject(error as Error);
      }
    }
    return decoded;
  }

  /** In order, into batches of a power of two whose images have one shape. */
  *#split(decoded: readonly Decoded[]): Generator<Decoded[]> {
    const shape = ({ pixels }: Decoded) => pixels.dims.join();
    for (let from = 0; from < decoded.length; ) {
      const same = decoded.slice(from).findIndex((other) => shape(other) !== shape(decoded[from]));
      const most = same < 0 ? decoded.length - from : same;
      const size = 2 ** Math.floor(Math.log2(most));
      yield decoded.slice(from, from + size);
      from += size;
    }
  }

  async #forward(batch: readonly Decoded[]): Promise<void> {
    const jobs = batch.map(({ job }) => job);
    if (jobs.every(({ signal }) => signal.aborted)) return;
    const all = whenAllAborted(jobs.map(({ signal }) => signal));
    const start = performance.now();
    try {
      const output = await this.model.forward({ pixelValues: stack(batch) }, { signal: all.signal });
      const { lastHiddenState, numerics } = output, logits = "logits" in output ? output.logits : undefined;
      batch.forEach(({ job, width, height }, i) => {
        job.resolve({ width, height, hidden: slice(lastHiddenState, i), logits: logits && slice(logits, i), numerics });
      });
    } catch (error) {
      for (const job of jobs) job.reject(error as Error);
    } finally {
      all.release();
      this.options.onBatch(batch.length, (performance.now() - start) / 1000);
    }
  }
}

function stack(batch: readonly Decoded[]): Tensor<"float32"> {
  const [{ pixels }] = batch;
  if (batch.length === 1) return pixels;
  const data = new Float32Array(batch.length * pixels.size);
  batch.forEach((one, i) => data.set(one.pixels.data, i * pixels.size));
  return new Tensor("float32", data, [batch.length, ...pixels.dims.slice(1)]);
}

/** Row `index` of the first axis, as a tensor of one row. */
function slice({ data, dims }: Tensor<"float32">, index: number): Tensor<"float32"> {
  const size = data.length / dims[0];
  return new Tensor("float32", data.slice(index * size, (index + 1) * size), [1, ...dims.slice(1)]);
}

/** A signal that is aborted when nobody waits any more. */
function whenAllAborted(signals: readonly AbortSignal[]): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const look = () => {
    if (signals.every(({ aborted }) => aborted)) controller.abort();
  };
  for (const signal of signals) signal.addEventListener("abort", look);
  return { signal: controller.signal, release: () => signals.forEach((signal) => signal.removeEventListener("abort", look)) };
}
