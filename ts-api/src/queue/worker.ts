/** A worker: takes jobs from the queue, computes the features of their images, and sends them back. */
import { runtime } from "#runtime";
import { IJepaError } from "../core/errors.js";
import { readOptions, type OptionNames } from "../core/options.js";
import { embedImages } from "../bulk/embed.js";
import { addressSource, type BulkSource } from "../bulk/source.js";
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
  fetchImage?: ((url: URL, options: { maxBytes: number; signal: AbortSignal }) => Promise<Uint8Array>) | undefined;
}

const JOB_OPTIONS: OptionNames<JobOptions> = { name: "string", signal: "AbortSignal", decoders: true, maxPixels: "number", fetchImage: "function" };

/** Options of `work`. */
export interface WorkOptions extends JobOptions {
  /** Ends the work when it is aborted. */
  signal: AbortSignal;
  /** Told after every job. */
  onJob?: ((result: JobResult) => void) | undefined;
}

const WORK_OPTIONS: OptionNames<WorkOptions> = { ...JOB_OPTIONS, onJob: "function" };

/** As the limit of `loadImage`. */
const MAX_BYTES = 256 * 2 ** 20;
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
  const options = readOptions(given, JOB_OPTIONS, "runJob"), { signal, decoders, maxPixels, name } = options, worker = workerInfo(encoder, name);
  checkJob(encoder, job, worker);
  if (job.audit?.worker.name === name) return { version: JOB_VERSION, rows: [], failures: [], worker, declined: true };
  const { layers, pooling, tokens } = encoder.encoding;
  const rows: RowMessage[] = [], failures: JobResult["failures"][number][] = [];
  const sources = job.sources.map((source) => sourceIn(source, options));
  for await (const result of embedImages(encoder.extractor, sources, { signal, decoders, maxPixels, layers, pool: tokens === null ? pooling : "none" })) {
    if (result.kind === "row") rows.push(encodeRow(await rowOf(encoder, result)));
    else if (result.kind === "failure") failures.push({ source: result.source, code: result.code, message: result.message });
  }
  return { version: JOB_VERSION, rows, failures, worker };
}

/** The name of a worker in audits. */
export function workerInfo(encoder: FeatureEncoder, name: string): WorkerInfo {
  return { name, machine: runtime.machine ?? "unknown", device: encoder.extractor.model.deviceDescription };
}

/**
 * Does jobs until `signal` is aborted; then pending jobs are given back, and another worker does them.
 *
 * @throws IJepaError as `runJob`, after the job was given back; `queue/unavailable`
 */
export async function work(broker: Broker, encoder: FeatureEncoder, given: WorkOptions): Promise<void> {
  const { onJob, ...options } = readOptions(given, WORK_OPTIONS, "work"), { signal } = options;
  let end: (error: Error | undefined) => void = () => undefined;
  const ended = new Promise<Error | undefined>((resolve) => (end = resolve));
  // Jobs may arrive before it is ready.
  const made: { worker?: JobWorker } = {}, gate = new Gate(() => void made.worker?.pause(true), () => made.worker?.resume());
  const worker = (made.worker = await broker.openWorker(
    async (job, token) => {
      if (!gate.enter(job.data.alone === true)) {
        await giveBack(job, token);
        throw broker.givenBack();
      }
      try {
        const result = await runJob(encoder, job.data, options);
        if (result.declined !== true) onJob?.(result);
        return result;
      } catch (error) {
        await giveBack(job, token);
        end(error instanceof Error ? error : new Error(String(error)));
        throw broker.givenBack();
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
  const source = addressSource(address);
  if (fetchImage === undefined || !/^https?:/i.test(address)) return source;
  return { ...source, read: (signal) => fetchImage(urlOf(address), { maxBytes: MAX_BYTES, signal }) };
}

function urlOf(address: string): URL {
  if (URL.canParse(address)) return new URL(address);
  throw new IJepaError("io/read", `${address} is not a URL.`, { path: address });
}
