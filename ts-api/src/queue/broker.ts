/** From the URL of a broker to a queue: BullMQ on Redis, Valkey or PostgreSQL. */
import { IJepaError } from "../core/errors.js";
import { checkText } from "../core/options.js";
import { connectPostgres, connectRedis, load, unavailable, type PostgresBackend } from "./connectors.js";
import type { ImageJob, JobResult } from "./jobs.js";

/** The properties of a job that are used. */
export interface QueuedJob {
  readonly id?: string | undefined;
  readonly data: ImageJob;
  readonly returnvalue?: JobResult | null | undefined;
  readonly failedReason?: string | undefined;
  /** How often it was answered, with a result or an error. */
  readonly attemptsMade?: number | undefined;
  /** How often it was lost with its worker. */
  readonly stalledCounter?: number | undefined;
  moveToWait(token?: string): Promise<unknown>;
  remove(): Promise<void>;
}

interface Emitter {
  on(event: string, listener: (...values: never[]) => void): unknown;
}

export interface JobQueue extends Emitter {
  waitUntilReady(): Promise<unknown>;
  addBulk(jobs: readonly { name: string; data: ImageJob; opts: object }[]): Promise<unknown>;
  /** Ids of jobs. */
  getRanges(states: readonly string[], start: number, end: number, ascending: boolean): Promise<string[]>;
  getJob(id: string): Promise<QueuedJob | undefined>;
  getWorkersCount(): Promise<number>;
  close(force?: boolean): Promise<void>;
}

export interface JobWorker extends Emitter {
  /** Takes no more jobs; does not wait for pending ones. */
  pause(doNotWaitActive: true): Promise<void>;
  resume(): void;
  waitUntilReady(): Promise<unknown>;
  close(force?: boolean): Promise<void>;
}

export type JobProcessor = (job: QueuedJob, token?: string) => Promise<JobResult>;

/** The part of BullMQ 6 that is used. */
interface BullMq extends PostgresBackend {
  Queue: new (name: string, options: object, backend?: unknown) => JobQueue;
  Worker: new (name: string, processor: JobProcessor, options: object, backend?: unknown) => JobWorker;
  WaitingError: new () => Error;
}

/** The name of the queue in the broker. */
export const QUEUE_NAME = "ijepa";
/** Events that the broker keeps for dashboards: each finished job is one, and holds a copy of its result. */
const MAX_EVENTS = 32;
/** Milliseconds until a worker tries again after its broker was away. */
const RETRY_DELAY = 2_000;

/** A connection to the broker that holds the queue. */
export interface Broker {
  /** Its address, without a password. */
  readonly address: string;
  /** The queue of the producer. Rejects with `queue/unavailable`. */
  openQueue(): Promise<JobQueue>;
  /** A worker that gives each job to `processor`. Rejects with `queue/unavailable`. */
  openWorker(processor: JobProcessor, options: object): Promise<JobWorker>;
  /** Thrown by a processor that has given a job back. */
  givenBack(): Error;
  /** True for the error of a broker that is temporarily away. */
  isTransient?(error: unknown): boolean;
  /** Closes every connection. */
  close(): Promise<void>;
}

/**
 * Connects to the broker that holds the queue.
 *
 * @param url redis://[user:password@]host[:port][/db], or rediss:// for TLS; or postgres://[user:password@]host[:port]/database
 * @throws IJepaError `input/value` for another address, `queue/package`, `queue/unavailable`
 */
export async function openBroker(url: string): Promise<Broker> {
  const address = addressOf(url), isRedis = address.startsWith("redis"), bullMq = await load<BullMq>("bullmq", isRedis ? "ioredis" : "pg"), { Queue, Worker, WaitingError } = bullMq;
  const connector = await (isRedis ? connectRedis(url, address) : connectPostgres(url, address, bullMq)), { backend, isTransient } = connector;
  /** Waits until an object of BullMQ is ready. */
  const ready = async <T extends JobQueue | JobWorker>(made: T): Promise<T> => {
    made.on("error", () => undefined);
    try {
      await made.waitUntilReady();
    } catch (cause) {
      // Closes connections of BullMQ that would keep the process alive; not awaited.
      made.close(true).catch(() => undefined);
      throw unavailable(address, (cause as Error).message, cause);
    }
    return made;
  };
  return {
    address,
    ...(isTransient === undefined ? {} : { isTransient }),
    openQueue: async () => ready(new Queue(QUEUE_NAME, { connection: await connector.connect(), streams: { events: { maxLen: MAX_EVENTS } } }, backend)),
    openWorker: async (processor, options) => ready(new Worker(QUEUE_NAME, processor, { runRetryDelay: RETRY_DELAY, ...options, connection: await connector.connect() }, backend)),
    givenBack: () => new WaitingError(),
    close: () => connector.close(),
  };
}

/** For messages. */
export function addressOf(url: string): string {
  checkText("The address of the queue", url);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && /^(rediss?|postgres(ql)?):$/.test(parsed.protocol) && parsed.hostname !== "") return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
  const message = "The queue must be an address such as redis://host:6379, rediss:// for TLS, or postgres://user@host/database.";
  throw new IJepaError("input/value", message, { name: "queue", value: parsed?.protocol ?? "no URL" });
}
