/** Connects BullMQ to each kind of server. The user installs the packages. */
import { IJepaError } from "../core/errors.js";

/** One kind of server. */
export interface Connector {
  /** A connection for a queue or a worker. Rejects with IJepaError `queue/unavailable`. */
  connect(): Promise<unknown>;
  /** The last argument of BullMQ's classes. */
  readonly backend?: unknown;
  /** True for the error of a server that is temporarily away; clients that wait by themselves have no such error. */
  isTransient?(error: unknown): boolean;
  close(): Promise<void>;
}

/** The part of BullMQ that PostgreSQL needs. */
export interface PostgresBackend {
  readonly createPostgresBackend: unknown;
  runMigrations(client: unknown): Promise<unknown>;
}

interface Emitter {
  on(event: string, listener: (...values: never[]) => void): unknown;
}

interface RedisClient extends Emitter {
  connect(): Promise<void>;
  disconnect(): void;
}

type RedisConstructor = new (url: string, options: object) => RedisClient;

interface Pool extends Emitter {
  connect(): Promise<{ release(): void }>;
  end(): Promise<void>;
}

interface Pg {
  readonly Pool: new (options: object) => Pool;
}

/** Milliseconds that a server may take to answer at first, and between two tries to reach it again. */
const CONNECT_TIMEOUT = 10_000, LONGEST_PAUSE = 2_000;
/** Of BullMQ's tables. */
const SCHEMA = "bullmq";
/** Connections of a process: one of them listens. */
const POOL_SIZE = 4;
const SUPPORTED = 6;

/** Redis and Valkey, by ioredis. */
export async function connectRedis(url: string, address: string): Promise<Connector> {
  const module = await load<{ Redis?: RedisConstructor; default: RedisConstructor }>("ioredis", "ioredis"), Redis = module.Redis ?? module.default;
  const clients: RedisClient[] = [];
  return {
    async connect() {
      const state = { ready: false, error: undefined as Error | undefined };
      // A server that was never reached is given up; one that was reached before is waited for.
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
    },
    async close() {
      for (const client of clients) client.disconnect();
    },
  };
}

/** PostgreSQL, by pg. BullMQ's tables are created or migrated at the first connection. */
export async function connectPostgres(url: string, address: string, { createPostgresBackend, runMigrations }: PostgresBackend): Promise<Connector> {
  const module = await load<Pg & { default?: Pg }>("pg", "pg"), { Pool } = module.default ?? module, pools: Pool[] = [];
  return {
    backend: createPostgresBackend,
    isTransient: isAway,
    async connect() {
      const pool = new Pool({ connectionString: url, options: `-c search_path=${SCHEMA}`, max: POOL_SIZE, keepAlive: true, connectionTimeoutMillis: CONNECT_TIMEOUT });
      pool.on("error", () => undefined);
      pools.push(pool);
      try {
        const client = await pool.connect();
        try {
          await runMigrations(client);
        } finally {
          client.release();
        }
      } catch (cause) {
        throw unavailable(address, reasonOf(cause), cause);
      }
      return pool;
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

/**
 * Loads a package that the user installs.
 *
 * @param client the package that BullMQ needs for this kind of server
 * @throws IJepaError `queue/package`
 */
export async function load<T>(name: string, client: "ioredis" | "pg"): Promise<T> {
  try {
    return (await import(name)) as T;
  } catch (cause) {
    const message = `Work through this queue needs the packages bullmq ${SUPPORTED} and ${client}; ${name} cannot be loaded. Install them beside ijepa: npm install bullmq@${SUPPORTED} ${client}.`;
    throw new IJepaError("queue/package", message, { package: name }, { cause });
  }
}

/** @param address without a password */
export function unavailable(address: string, reason: string, cause: unknown): IJepaError {
  return new IJepaError("queue/unavailable", `The queue at ${address} cannot be used: ${reason}. Check that the broker runs, its address, user and password.`, { address }, { cause });
}

/** If a name has several addresses, the reasons are one level below. */
function reasonOf(cause: unknown): string {
  const { message, errors } = cause as { message?: string; errors?: readonly Error[] };
  return (message !== undefined && message !== "" ? message : errors?.[0]?.message) ?? String(cause);
}

/** Error codes of connections that end, and of a server that shuts down or starts. */
function isAway(error: unknown): boolean {
  const { code = "", message = "" } = error as { code?: string; message?: string };
  return /^(ECONN|EPIPE|ETIMEDOUT|57P0|08)/.test(code) || /connection terminated|connection error|timeout/i.test(message);
}
