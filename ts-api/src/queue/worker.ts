/** A worker: takes jobs from the queue, computes the features of their images, and sends them back. */
import { runtime } from "#runtime";
import { IJepaError, isIJepaError } from "../core/errors.js";
import { checkHas, readOptions, type OptionNames } from "../core/options.js";
import { embedImages } from "../bulk/embed.js";
import { addressSource, fetchedSource, type BulkSource, type FetchImage } from "../bulk/source.js";
import { differences } from "../collections/encoding.js";
import type { FeatureEncoder } from "../collections/feature-encoder.js";
import { rowOf } from "../collections/indexing.js";
import type { DecodePool } from "../decoding/pool.js";
import type { Broker, JobWorker, QueuedJob } from "./broker.js";
import { Gate } from "./gate.js";
import { checkVersion, encodeRow, JOB_VERSION, type ImageJob, type JobResult, type RowMessage, type WorkerInfo } from "./jobs.js";

/** Options of `runJob`. */
export interface JobOptions {
  /** The worker's name in results; unique to this process. */
  name: string;
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** The threads that decode; default: a pool for each job. */
  decoders?: DecodePool | undefined;
  /** Most pixels of an image. Default: Pillow's limit. */
  maxPixels?: number | undefined;
  /** Downloads the images of http(s) URLs; use it to restrict addresses. Default: as `loadImage`. */
  fetchImage?: FetchImage | undefined;
  /** Time limit of the download of an image, in milliseconds. Default 60000. */
  timeout?: number | undefined;
}

const JOB_OPTIONS: OptionNames<JobOptions> = { name: "string", signal: "AbortSignal", decoders: true, maxPixels: "number", fetchImage: "function", timeout: "number" };

/** Options of `work`. */
export interface WorkOptions extends JobOptions {
  /** Ends the work when it is aborted. */
  signal: AbortSignal;
  /** Called after every job. */
  onJob?: ((result: JobResult) => void) | undefined;
}

const WORK_OPTIONS: OptionNames<WorkOptions> = { ...JOB_OPTIONS, onJob: "function" };

/** After this many milliseconds a lost worker is noticed, and another one does its job. */
const LOCK_DURATION = 15_000, STALLED_INTERVAL = 5_000;
/** The images of the second are decoded while the first computes. */
const CONCURRENCY = 2;
/** How often a job may be lost with its worker before the job is taken for the cause. */
const MAX_STALLED = 5;

/**
 * The result of a job. An image that cannot be read is a failure in it.
 *
 * @throws IJepaError `queue/version`, `collection/encoding` for jobs that this encoder cannot do, `queue/audit` if this worker was found
 *   to compute wrong bits, `input/value` for an unknown option, `aborted`, `backend/*`
 */
export async function runJob(encoder: FeatureEncoder, job: ImageJob, given: JobOptions): Promise<JobResult> {
  const options = readOptions(given, JOB_OPTIONS, "runJob"), { signal, decoders, maxPixels, timeout, name } = options, worker = workerInfo(encoder, name);
  checkHas("The job", job, "an image job", "sources", "encoding");
  checkJob(encoder, job, worker);
  if (job.audit?.worker.name === name) return { version: JOB_VERSION, rows: [], failures: [], worker, declined: true };
  const { layers, pooling, tokens } = encoder.encoding, { strict } = job;
  const rows: RowMessage[] = [], failures: JobResult["failures"][number][] = [], damaged: NonNullable<JobResult["damaged"]>[number][] = [];
  const sources = job.sources.map((source) => sourceIn(source, options));
  for await (const result of embedImages(encoder.extractor, sources, { signal, decoders, maxPixels, timeout, strict, layers, pool: tokens === null ? pooling : "none" })) {
    const { source } = result;
    if (result.kind === "failure") failures.push({ source, code: result.code, message: result.message });
    if (result.kind !== "row") continue;
    rows.push(encodeRow(await rowOf(encoder, result)));
    if (result.warnings.length > 0) damaged.push({ source, warnings: result.warnings });
  }
  return { version: JOB_VERSION, rows, failures, worker, ...(damaged.length > 0 ? { damaged } : {}) };
}

/** The name of a worker in audits. */
export function workerInfo(encoder: FeatureEncoder, name: string): WorkerInfo {
  checkHas("The encoder", encoder, "a FeatureEncoder", "encoding", "extractor");
  return { name, machine: runtime.machine ?? "unknown", device: encoder.extractor.model.deviceDescription };
}

/**
 * Does jobs until `signal` is aborted; then pending jobs are given back, and another worker does them.
 *
 * @throws IJepaError as `runJob`, after the job was given back or had failed here; `queue/unavailable`
 */
export async function work(broker: Broker, encoder: FeatureEncoder, given: WorkOptions): Promise<void> {
  const { onJob, ...options } = readOptions(given, WORK_OPTIONS, "work"), { signal } = options;
  checkHas("The broker", broker, "what openBroker gives", "openWorker");
  checkHas("The encoder", encoder, "a FeatureEncoder", "encoding", "extractor");
  let isOver = false, resolve: (error: Error | undefined) => void = () => undefined;
  const ended = new Promise<Error | undefined>((settle) => (resolve = settle));
  const end = (error: Error | undefined): void => {
    isOver = true;
    resolve(error);
  };
  // Jobs may arrive before it is ready.
  const made: { worker?: JobWorker } = {}, gate = new Gate(() => void made.worker?.pause(true), () => made.worker?.resume());
  const worker = (made.worker = await broker.openWorker(
    async (job, token) => {
      // A job that it failed may come back to it before it is gone.
      if (isOver || !gate.enter(job.data.alone === true)) {
        await giveBack(job, token);
        throw broker.givenBack();
      }
      try {
        const result = await runJob(encoder, job.data, options);
        if (result.declined !== true) onJob?.(result);
        return result;
      } catch (error) {
        const isRefused = isRefusal(error);
        if (isRefused) await giveBack(job, token);
        end(error instanceof Error ? error : new Error(String(error)));
        // A failure may be due to the job: the broker counts it.
        throw isRefused ? broker.givenBack() : error;
      } finally {
        gate.leave();
      }
    },
    { concurrency: CONCURRENCY, lockDuration: LOCK_DURATION, stalledInterval: STALLED_INTERVAL, maxStalledCount: MAX_STALLED, name: options.name },
  ));
  const stop = (): void => end(undefined);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const error = await ended;
  signal.removeEventListener("abort", stop);
  await worker.close();
  if (error !== undefined && !signal.aborted) throw error;
}

/** If that fails, the lock of the job expires and another worker still gets it. */
async function giveBack(job: QueuedJob, token: string | undefined): Promise<void> {
  await job.moveToWait(token).catch(() => undefined);
}

/** For what says nothing about the job: this worker is stopped, or cannot do any job of this queue. */
function isRefusal(error: unknown): boolean {
  return isIJepaError(error) && /^(aborted|queue\/|collection\/)/.test(error.code);
}

function checkJob(encoder: FeatureEncoder, job: ImageJob, { name, machine, device }: WorkerInfo): void {
  const { encoding, banned } = job;
  checkVersion(job, "The queue has jobs");
  if (banned?.includes(name) === true) {
    const message = `An audit found that this worker, ${name} on ${machine} (${device}), computes wrong bits. Run "ijepa verify" on this machine before using it again.`;
    throw new IJepaError("queue/audit", message, { worker: name, machine, device });
  }
  const found = differences(encoder.encoding, encoding);
  if (found.length === 0) return;
  const message = `The jobs of this queue are for another encoding; this worker has ${found.join("; ")}. Start it with the encoder of the collection.`;
  throw new IJepaError("collection/encoding", message, { path: "the queue", differences: found });
}

function sourceIn(address: string, { fetchImage }: JobOptions): BulkSource {
  return fetchImage === undefined || !/^https?:/i.test(address) ? addressSource(address) : fetchedSource(address, fetchImage);
}
