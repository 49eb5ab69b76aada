/** BullMQ on Redis or Valkey. Both packages are the user's to install. */
import { IJepaError } from "../core/errors.js";
import type { ImageJob, JobResult } from "./jobs.js";

/** A job, as far as it is used. */
export interface QueuedJob {
  readonly id?: string | undefined;
  readonly data: ImageJob;
  readonly returnvalue?: JobResult | null | undefined;
  readonly failedReason?: string | undefined;
  moveToWait(token?: string): Promise<unknown>;
  remove(): Promise<void>;
}

interface Emitter {
  on(event: string, listener: (...values: never[]) => void): unknown;
}

export interface JobQueue extends Emitter {
  waitUntilReady(): Promise<unknown>;
  addBulk(jobs: readonly { name: string; data: ImageJob; opts: object }[]): Promise<unknown>;
  getJobs(states: readonly string[], start: number, end: number, ascending: boolean): Promise<(QueuedJob | undefined)[]>;
  getJob(id: string): Promise<QueuedJob | undefined>;
  getWorkersCount(): Promise<number>;
  close(): Promise<void>;
}

export interface JobWorker extends Emitter {
  waitUntilReady(): Promise<unknown>;
  close(force?: boolean): Promise<void>;
}

export type JobProcessor = (job: QueuedJob, token?: string) => Promise<JobResult>;

/** The part of BullMQ 6 that is used. */
interface BullMq {
  Queue: new (name: string, options: object) => JobQueue;
  Worker: new (name: string, processor: JobProcessor, options: object) => JobWorker;
  WaitingError: new () => Error;
}

interface RedisClient extends Emitter {
  connect(): Promise<void>;
  disconnect(): void;
}

/** The name of the queue in the broker. */
export const QUEUE_NAME = "ijepa";
/** Milliseconds: how long a broker may take to answer at first, and between two tries to reach one that was there. */
const CONNECT_TIMEOUT = 10_000, LONGEST_PAUSE = 2_000;
const SUPPORTED = 6;

/** A connection to the broker that holds the queue. */
export interface Broker {
  /** Its address, without a password. */
  readonly address: string;
  /** The queue of the producer. Rejects with `queue/unavailable`. */
  openQueue(): Promise<JobQueue>;
  /** A worker that gives each job to `processor`. Rejects with `queue/unavailable`. */
  openWorker(processor: JobProcessor, options: object): Promise<JobWorker>;
  /** What a processor throws once it has given a job back. */
  givenBack(): Error;
  /** Closes every connection. */
  close(): Promise<void>;
}

/**
 * Connects to the broker that holds the queue.
 *
 * @param url redis://[user:password@]host[:port][/db], or rediss:// for TLS
 * @throws IJepaError `input/value` for another address, `queue/package`, `queue/unavailable`
 */
export async function openBroker(url: string): Promise<Broker> {
  const address = addressOf(url), { Queue, Worker, WaitingError } = await load<BullMq>("bullmq");
  const module = await load<{ Redis?: RedisConstructor; default: RedisConstructor }>("ioredis"), Redis = module.Redis ?? module.default;
  const clients: RedisClient[] = [];
  const connect = async (): Promise<RedisClient> => {
    const state = { ready: false, error: undefined as Error | undefined };
    // One that was never reached is given up; one that was is waited for.
    const retryStrategy = (times: number): number | null => (state.ready ? Math.min(100 * times, LONGEST_PAUSE) : null);
    const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null, connectTimeout: CONNECT_TIMEOUT, retryStrategy });
    client.on("error", (error: Error) => void (state.error = error));
    try {
      await client.connect();
    } catch (cause) {
      client.disconnect();
      throw unavailable(address, (state.error ?? (cause as Error)).message, cause);
    }
    state.ready = true;
    clients.push(client);
    return client;
  };
  return {
    address,
    async openQueue() {
      const queue = new Queue(QUEUE_NAME, { connection: await connect() });
      queue.on("error", () => undefined);
      await queue.waitUntilReady().catch((cause: Error) => Promise.reject(unavailable(address, cause.message, cause)));
      return queue;
    },
    async openWorker(processor, options) {
      const worker = new Worker(QUEUE_NAME, processor, { ...options, connection: await connect() });
      worker.on("error", () => undefined);
      await worker.waitUntilReady().catch((cause: Error) => Promise.reject(unavailable(address, cause.message, cause)));
      return worker;
    },
    givenBack: () => new WaitingError(),
    async close() {
      for (const client of clients) client.disconnect();
    },
  };
}

type RedisConstructor = new (url: string, options: object) => RedisClient;

/** For messages. */
export function addressOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && /^rediss?:$/.test(parsed.protocol) && parsed.hostname !== "") return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
  throw new IJepaError("input/value", "The queue must be an address such as redis://host:6379, or rediss:// for TLS.", { name: "queue", value: parsed?.protocol ?? "no URL" });
}

async function load<T>(name: "bullmq" | "ioredis"): Promise<T> {
  try {
    return (await import(name)) as T;
  } catch (cause) {
    const message = `Work through a queue needs the packages bullmq ${SUPPORTED} and ioredis; ${name} cannot be loaded. Install them beside ijepa: npm install bullmq@${SUPPORTED} ioredis.`;
    throw new IJepaError("queue/package", message, { package: name }, { cause });
  }
}

function unavailable(address: string, reason: string, cause: unknown): IJepaError {
  return new IJepaError("queue/unavailable", `The queue at ${address} cannot be used: ${reason}. Check that the broker runs, its address, user and password.`, { address }, { cause });
}
