/** The messages of the queue: jobs of some images, and their features. */
import { fromBase64, toBase64 } from "../core/base64.js";
import { IJepaError } from "../core/errors.js";
import { sha256 } from "../core/numerics.js";
import { checkText } from "../core/options.js";
import type { BulkFailure, BulkImage } from "../bulk/results.js";
import { featureDigest, type CollectionRow } from "../collections/row.js";
import type { Encoding } from "../collections/encoding.js";

/** Version of jobs and results; another one is refused. */
export const JOB_VERSION = 1;

/** Some images for one worker. */
export interface ImageJob {
  /** Version of jobs and results. */
  readonly version: number;
  /** The collection that the job belongs to: its `ownerOf`. */
  readonly owner: string;
  /** The encoding of the collection; a worker with another one gives the job back. */
  readonly encoding: Encoding;
  /** Paths or URLs. */
  readonly sources: readonly string[];
  /** Damaged images that could be read all the same are failures. */
  readonly strict?: boolean | undefined;
  /** Earlier results for these images: another worker has to compute them again. */
  readonly audit?: Audit | undefined;
  /** The job may crash its worker, which does no other job beside it. */
  readonly alone?: boolean | undefined;
  /** Names of workers that computed wrongly. */
  readonly banned?: readonly string[] | undefined;
}

/** Results of one worker that another one is to compute. */
export interface Audit {
  /** The worker whose results are audited. */
  readonly worker: WorkerInfo;
  /** Number of results that it had given when the audit was requested, these included. */
  readonly until: number;
  /** `outcomesOf` them, one for each source. */
  readonly outcomes: readonly string[];
}

/** Who computes, for messages. */
export interface WorkerInfo {
  /** Of this process alone. */
  readonly name: string;
  /** Name of the machine in its network. */
  readonly machine: string;
  /** Runtime, instruction set and kernels, or adapter; threads. */
  readonly device: string;
}

/** A row with its numbers as base64 of little-endian f32. */
export interface RowMessage extends Omit<CollectionRow, "feature" | "tokens" | "label"> {
  /** [width] f32, little-endian, in base64. */
  readonly feature: string;
  /** [tokens, width] f32, little-endian, in base64; null if the encoding keeps no patches. */
  readonly tokens: string | null;
}

/** What a worker sends back. */
export interface JobResult {
  /** Version of jobs and results. */
  readonly version: number;
  /** The images that have features. */
  readonly rows: readonly RowMessage[];
  /** The images that failed, and why. */
  readonly failures: readonly Pick<BulkFailure, "source" | "code" | "message">[];
  /** The images that are damaged and were read all the same. */
  readonly damaged?: readonly Pick<BulkImage, "source" | "warnings">[] | undefined;
  /** Who did it. */
  readonly worker: WorkerInfo;
  /** The job is an audit of this worker: another one has to do it. */
  readonly declined?: boolean | undefined;
}

/** Identifies the collection: the same again for every producer of its jobs. */
export async function ownerOf(path: string): Promise<string> {
  checkText("path", path);
  return (await sha256(new TextEncoder().encode(path))).slice(0, 32);
}

/**
 * Refuses jobs and results of another version.
 *
 * @param what the beginning of the message
 * @throws IJepaError `queue/version`
 */
export function checkVersion({ version }: { readonly version: number }, what: string): void {
  if (version === JOB_VERSION) return;
  const message = `${what} of version ${JSON.stringify(version)}; this library reads ${JOB_VERSION}. Use one version of ijepa on all machines.`;
  throw new IJepaError("queue/version", message, { version: String(version), known: String(JOB_VERSION) });
}

/** The same sources for the same owner and reason are the same job. */
export async function jobIdOf({ owner, sources, audit, banned = [], alone = false, strict = false }: Omit<ImageJob, "version" | "encoding">): Promise<string> {
  const reason = audit === undefined ? [...banned, ...(alone ? ["alone"] : []), ...(strict ? ["strict"] : [])] : [audit.worker.name, audit.until];
  return (await sha256(new TextEncoder().encode(JSON.stringify([owner, sources, ...reason])))).slice(0, 32);
}

/** The result of each image: the digests of file and feature, or the code of the failure. */
export function outcomesOf({ rows, failures }: Pick<JobResult, "rows" | "failures">): Map<string, string> {
  return new Map([...rows.map(({ source, id, digest }) => [source, `${id} ${digest}`] as const), ...failures.map(({ source, code }) => [source, code] as const)]);
}

export function encodeRow({ feature, tokens, source, id, bytes, modified, width, height, digest }: CollectionRow): RowMessage {
  return { source, id, bytes, modified, width, height, digest, feature: encodeNumbers(feature), tokens: tokens === undefined ? null : encodeNumbers(tokens) };
}

/**
 * The rows of a result.
 *
 * @param sources the images of its job
 * @throws IJepaError `queue/version`; `queue/result` if it does not have exactly these images, or is damaged
 */
export async function readRows(result: JobResult, sources: readonly string[]): Promise<CollectionRow[]> {
  checkVersion(result, "A worker sent a result");
  const { rows, failures, worker } = result as Partial<JobResult>, [source] = sources;
  if (!isListOfObjects(rows) || !isListOfObjects(failures) || typeof worker?.name !== "string") {
    throw new IJepaError("queue/result", `What came back for ${source} is not the result of a job.`, { source });
  }
  const outcomes = outcomesOf(result), missing = sources.find((one) => !outcomes.has(one)), added = [...outcomes.keys()].find((one) => !sources.includes(one));
  if (missing !== undefined) throw new IJepaError("queue/result", `Worker ${worker.name} sent no result of ${missing}.`, { source: missing });
  if (added !== undefined) throw new IJepaError("queue/result", `Worker ${worker.name} sent a result of ${added}, which it was not asked for.`, { source: added });
  return Promise.all(result.rows.map(decodeRow));
}

function isListOfObjects(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "object" && one !== null);
}

/** @throws IJepaError `queue/result` if the numbers do not match the digest */
export async function decodeRow(message: RowMessage): Promise<CollectionRow> {
  const { source, digest } = message;
  try {
    const feature = decodeNumbers(message.feature), tokens = message.tokens === null ? undefined : decodeNumbers(message.tokens);
    if ((await featureDigest(feature, tokens)) === digest) return { ...message, feature, tokens };
  } catch (cause) {
    throw new IJepaError("queue/result", `The feature of ${source} came back damaged.`, { source }, { cause });
  }
  throw new IJepaError("queue/result", `The feature of ${source} came back with numbers that do not match its digest.`, { source });
}

function encodeNumbers(numbers: Float32Array): string {
  return toBase64(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
}

function decodeNumbers(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(fromBase64(text)).buffer);
}
