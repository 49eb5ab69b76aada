/** From image files to pixels or tensors, in threads of their own. */
import { runtime } from "#runtime";
import { onAbort } from "../core/abort.js";
import { IJepaError, isIJepaError, throwIfAborted } from "../core/errors.js";
import { checkHas, readOptions, type OptionNames } from "../core/options.js";
import { show } from "../core/show.js";
import { decodeImage, DEFAULT_SOURCE, type DecodeOptions } from "../image/decode.js";
import type { IJepaImageProcessor } from "../image/processor.js";
import type { RgbImage } from "../image/raw-image.js";
import { HEAVY, workOf } from "./estimate-work.js";
import { prepareImage, type PreparedImage, type ProcessorConfig } from "./decode.js";
import type { DecodeRequest, DecodeResult } from "./messages.js";
import { DecoderThread } from "./thread.js";

export type { PreparedImage } from "./decode.js";

/** Options of `new DecodePool`. */
export interface DecodePoolOptions {
  /**
   * Threads, started when they are needed; "auto" (default) for one per processor. 0 decodes in place, one image after the other and
   * without a time limit; so do hosts without threads.
   */
  threads?: number | "auto" | undefined;
  /** Longest decoding of one image, in milliseconds from when its thread begins. The thread is then ended and replaced. Default 60000. */
  timeout?: number | undefined;
  /** Most images that wait for a thread. Default 1024. */
  maxWaiting?: number | undefined;
}

/** Options of one image. */
export interface PoolDecodeOptions extends DecodeOptions {
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
}

const POOL_OPTIONS: OptionNames<DecodePoolOptions> = { threads: true, timeout: "number", maxWaiting: "number" };
const DECODE_OPTIONS: OptionNames<PoolDecodeOptions> = { signal: "AbortSignal", source: "string", maxPixels: "number", strict: "boolean" };

interface Job {
  readonly request: DecodeRequest;
  /** What the file announces, in pixels. */
  readonly work: number;
  resolve(result: DecodeResult): void;
  reject(error: Error): void;
}

/** Decodes one image at a time. */
interface Seat {
  job: Job | undefined;
  thread: DecoderThread | undefined;
}

const DEFAULT_TIMEOUT = 60_000;
const DEFAULT_WAITING = 1024;
const MAX_THREADS = 64;
const DURING = "waiting for an image to be decoded";

/** Threads that decode images, each file with a time limit that holds. */
export class DecodePool {
  readonly #auto: boolean;
  #threads: number;
  readonly #timeout: number;
  readonly #maxWaiting: number;
  readonly #seats: readonly Seat[];
  #queue: Job[] = [];
  #isTurnOfLightest = false;
  #closed = false;
  #paused = false;

  /** @throws TypeError for options that are no such numbers; IJepaError `input/value` for an unknown one */
  constructor(options: DecodePoolOptions = {}) {
    const { threads = "auto", timeout = DEFAULT_TIMEOUT, maxWaiting = DEFAULT_WAITING } = readOptions(options, POOL_OPTIONS, "DecodePool");
    const wanted = threads === "auto" ? Math.min(MAX_THREADS, runtime.cores) : threads;
    if (!Number.isInteger(wanted) || wanted < 0 || wanted > MAX_THREADS) throw new TypeError(`threads must be "auto" or a whole number from 0 to ${MAX_THREADS}, not ${String(threads)}.`);
    if (!(timeout > 0)) throw new TypeError(`timeout must be a number of milliseconds above 0, not ${String(timeout)}.`);
    if (!(maxWaiting >= 0)) throw new TypeError(`maxWaiting must be a number of images from 0 up, not ${String(maxWaiting)}.`);
    this.#auto = threads === "auto";
    this.#threads = runtime.startDecoder === undefined ? 0 : wanted;
    this.#timeout = timeout;
    this.#maxWaiting = maxWaiting;
    this.#seats = Array.from({ length: Math.max(1, this.threads) }, () => ({ job: undefined, thread: undefined }));
  }

  /** Threads that it may start; 0 if it decodes in place, which it also does if "auto" threads could not be started. */
  get threads(): number {
    return this.#threads;
  }

  /** Images that wait for a thread. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Images that are being decoded. */
  get running(): number {
    return this.#seats.filter(({ job }) => job !== undefined).length;
  }

  /**
   * Decodes an image file to RGB.
   *
   * @param bytes the whole file; do not change it before the result arrives
   * @throws IJepaError what `decodeImage` throws; `image/timeout`; `backend/busy` when too many wait; `backend/lost` when the thread ended;
   *   `aborted`, at once
   */
  async decode(bytes: Uint8Array, options: PoolDecodeOptions = {}): Promise<RgbImage> {
    return (await this.#enqueue(bytes, undefined, options)) as RgbImage;
  }

  /**
   * Decodes an image file and does what the image processor does, in the same thread.
   *
   * @param bytes as of `decode`
   * @throws IJepaError as `decode`, and what `preprocess` throws
   */
  async prepare(bytes: Uint8Array, processor: IJepaImageProcessor, options: PoolDecodeOptions = {}): Promise<PreparedImage> {
    checkHas("The processor", processor, "an IJepaImageProcessor", "toConfig");
    return (await this.#enqueue(bytes, processor.toConfig(), options)) as PreparedImage;
  }

  /** Starts no image until `resume`; those that are being decoded continue. */
  pause(): void {
    this.#paused = true;
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.#paused = false;
    this.#assign();
  }

  /** Ends the threads. Pending and later calls reject with `aborted`. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#queue.splice(0)) reject(aborted());
    await Promise.all(this.#seats.map(async ({ thread }) => thread?.terminate()));
  }

  async #enqueue(bytes: Uint8Array, processor: ProcessorConfig | undefined, given: PoolDecodeOptions): Promise<DecodeResult> {
    const { signal, ...options } = readOptions(given, DECODE_OPTIONS, "DecodePool");
    throwIfAborted(signal, DURING);
    if (!(bytes instanceof Uint8Array)) throw new TypeError(`An image to decode must be the bytes of its file as a Uint8Array, not ${show(bytes)}.`);
    if (this.#closed) throw aborted();
    const work = workOf(bytes, options.source ?? DEFAULT_SOURCE), waiting = this.#queue.length;
    if (waiting >= this.#maxWaiting && this.running === this.#seats.length) {
      throw new IJepaError("backend/busy", `${waiting} images are waiting to be decoded, which is the limit. Try again later.`, { backend: "decoder", waiting });
    }
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        stopListening();
        act();
      };
      const job: Job = {
        request: { bytes, options, processor },
        work,
        resolve: (result) => settle(() => resolve(result)),
        reject: (error) => settle(() => reject(error)),
      };
      // A thread that has begun continues: starting another would take longer than most images.
      const giveUp = () => {
        this.#queue = this.#queue.filter((other) => other !== job);
        job.reject(aborted(signal?.reason));
      };
      const stopListening = onAbort(signal, giveUp);
      this.#queue.push(job);
      this.#assign();
    });
  }

  #assign(): void {
    for (const seat of this.#seats) {
      if (seat.job !== undefined || this.#paused || this.#closed) continue;
      seat.job = this.#next();
      if (seat.job === undefined) return;
      void this.#work(seat, seat.job);
    }
  }

  /**
   * In turns the first image that waits and the one that announces the least work, so a flood of one kind does not keep out the other.
   * One thread of several is kept for short work.
   */
  #next(): Job | undefined {
    const heavy = this.#seats.filter(({ job }) => job !== undefined && job.work > HEAVY).length;
    const most = heavy < Math.max(1, this.#seats.length - 1) ? Infinity : HEAVY;
    let next = -1;
    for (const [index, { work }] of this.#queue.entries()) {
      if (work > most || (next >= 0 && work >= this.#queue[next].work)) continue;
      next = index;
      if (!this.#isTurnOfLightest) break;
    }
    if (next < 0) return undefined;
    this.#isTurnOfLightest = !this.#isTurnOfLightest;
    return this.#queue.splice(next, 1)[0];
  }

  async #work(seat: Seat, { request, resolve, reject }: Job): Promise<void> {
    try {
      resolve(await this.#decode(seat, request));
    } catch (error) {
      reject(error as Error);
    } finally {
      if (seat.thread?.ended) seat.thread = undefined;
      seat.job = undefined;
      this.#assign();
    }
  }

  async #decode(seat: Seat, request: DecodeRequest): Promise<DecodeResult> {
    if (this.threads > 0) {
      try {
        return await (seat.thread ??= new DecoderThread()).decode(request, this.#timeout);
      } catch (error) {
        // Bundles may have left the thread's program behind; nothing was sent to it then.
        if (!this.#auto || !isIJepaError(error, "backend/unavailable")) throw error;
        seat.thread = undefined;
        this.#threads = 0;
      }
    }
    return decodeHere(request);
  }
}

async function decodeHere({ bytes, options, processor }: DecodeRequest): Promise<DecodeResult> {
  return processor === undefined ? decodeImage(bytes, options) : prepareImage(bytes, processor, options);
}

function aborted(cause?: unknown): IJepaError {
  return new IJepaError("aborted", `Aborted while ${DURING}.`, { during: DURING }, { cause });
}
