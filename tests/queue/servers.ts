/** What the tests of the queue need: brokers of their own, and the package beside BullMQ, as users install it. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { BUN, NODE24 } from "../support/engines.js";
import { freePort } from "../support/free-port.js";

const MODULES = resolve("tests/queue/node_modules"), HERE = join(MODULES, "ijepa");
export const PASSWORD = "s3cret-word";

/** Why the tests cannot be run here; false where they can. */
export const absent = !existsSync(join(MODULES, "bullmq"))
  ? `not run: no ${MODULES}`
  : spawnSync("redis-server", ["--version"]).status !== 0 ? "not run: there is no redis-server" : false;

/** A kind of worker: the program that runs the command, and its options. */
export interface Kind {
  readonly name: string;
  readonly engine: readonly string[];
  readonly args: readonly string[];
}

/** Those that are here. Dawn and its driver are found by the environment that scripts/test.mjs sets. */
const WEBGPU = process.env["IJEPA_WEBGPU_PACKAGE"];
const ALL: readonly Kind[] = [
  { name: "Node", engine: [process.execPath], args: ["--device", "wasm"] },
  { name: "Node 24 with 256 bits", engine: [NODE24, "--no-warnings"], args: ["--device", "wasm", "--revectorize"] },
  { name: "Bun", engine: [BUN], args: ["--device", "wasm"] },
  { name: "software WebGPU", engine: [WEBGPU === undefined ? "" : process.execPath], args: ["--device", "webgpu"] },
];
export const KINDS = ALL.filter(({ engine: [program] }) => existsSync(program));

/** A copy: Node looks for packages from where a file really is. */
export function installPackage(): void {
  rmSync(HERE, { recursive: true, force: true });
  for (const part of ["package.json", "dist", "models"]) cpSync(part, join(HERE, part), { recursive: true });
  if (WEBGPU === undefined || existsSync(join(MODULES, "webgpu"))) return;
  symlinkSync(WEBGPU, join(MODULES, "webgpu"));
}

export const CLI = join(HERE, "dist/cli.js");

export function command(args: readonly string[], [program, ...flags]: readonly string[] = [process.execPath]): ChildProcess {
  return spawn(program, [...flags, CLI, ...args], { env: { ...process.env, IJEPA_DEBUG: "" } });
}

/** A module of the package that is beside BullMQ: its own copy would not find it. */
export async function packageModule(name: "queue" | "collections"): Promise<unknown> {
  return import(pathToFileURL(join(HERE, `dist/${name}.js`)).href);
}

/** A part of ioredis. */
interface RedisClient {
  info(section: string): Promise<string>;
  keys(pattern: string): Promise<string[]>;
  disconnect(): void;
}

export async function redisClient(url: string): Promise<RedisClient> {
  const { Redis } = (await import(pathToFileURL(createRequire(join(MODULES, "bullmq/package.json")).resolve("ioredis")).href)) as { Redis: new (url: string) => RedisClient };
  return new Redis(url);
}

/** A program of this folder, which has the package beside it. */
export function program(path: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [path, ...args]);
}

/** Where a server runs: by default here, on loopback. */
export interface Place {
  readonly address: string;
  spawn(program: string, args: readonly string[]): ChildProcess;
}

const LOOPBACK: Place = { address: "127.0.0.1", spawn: (program, args) => spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] }) };

/** A server with Redis's protocol and options. */
const VALKEY = "valkey-server";
/** Why there can be no test over Valkey here; false where there can. */
export const noValkey = spawnSync(VALKEY, ["--version"]).status === 0 ? false : `not run: there is no ${VALKEY}`;

/** A broker with a password, that keeps what it is told in an append-only file. */
export class Redis {
  #child: ChildProcess | undefined;
  readonly url: string;

  private constructor(readonly port: number, private readonly folder: string, private readonly place: Place, private readonly server: string) {
    this.url = `redis://:${PASSWORD}@${place.address}:${port}`;
  }

  static async start(folder: string, place = LOOPBACK, server = "redis-server"): Promise<Redis> {
    const redis = new Redis(await freePort(), folder, place, server);
    await redis.start();
    return redis;
  }

  static async startValkey(folder: string): Promise<Redis> {
    return Redis.start(folder, LOOPBACK, VALKEY);
  }

  async start(): Promise<void> {
    const { port, folder, place, server } = this;
    const options = { port, bind: place.address, dir: folder, appendonly: "yes", appendfsync: "always", save: "", requirepass: PASSWORD, "maxmemory-policy": "noeviction" };
    this.#child = place.spawn(server, Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]));
    const { stdout } = this.#child;
    await new Promise<void>((resolve) => stdout!.setEncoding("utf8").on("data", (text: string) => text.includes("Ready to accept") && resolve()));
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const ended = once(this.#child!, "exit");
    this.#child!.kill(signal);
    await ended;
  }
}

/** Debian keeps its programs in a folder for each version. */
const PG_PROGRAMS = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql").map((version) => `/usr/lib/postgresql/${version}/bin`).at(-1) : undefined;
/** PostgreSQL refuses to run as root. */
const PG_USER: { uid?: number; gid?: number } | undefined = process.getuid?.() === 0 ? userOf("postgres") : {};

/** Why the tests over PostgreSQL cannot be run here; false where they can. */
export const noPostgres = PG_PROGRAMS === undefined
  ? "not run: there is no PostgreSQL"
  : PG_USER === undefined ? "not run: no user postgres" : existsSync(join(MODULES, "pg")) ? false : "not run: no package pg";

function userOf(name: string): { uid: number; gid: number } | undefined {
  const [uid, gid] = ["-u", "-g"].map((flag) => spawnSync("id", [flag, name], { encoding: "utf8" })).map(({ status, stdout }) => (status === 0 ? Number(stdout) : NaN));
  return Number.isNaN(uid) ? undefined : { uid, gid };
}

/** A server on loopback with a user and a password. */
export class Postgres {
  readonly url: string;
  #child: ChildProcess | undefined;

  private constructor(readonly port: number, private readonly folder: string) {
    this.url = `postgres://ijepa:${PASSWORD}@127.0.0.1:${port}/postgres`;
  }

  static async start(): Promise<Postgres> {
    const postgres = new Postgres(await freePort(), mkdtempSync(join(tmpdir(), "ijepa-postgres-"))), { folder } = postgres, password = join(folder, "password");
    writeFileSync(password, PASSWORD);
    if (PG_USER?.uid !== undefined && PG_USER.gid !== undefined) for (const path of [folder, password]) chownSync(path, PG_USER.uid, PG_USER.gid);
    const { status, stderr } = spawnSync(join(PG_PROGRAMS!, "initdb"), ["-D", join(folder, "data"), "-U", "ijepa", "--auth=scram-sha-256", `--pwfile=${password}`, "-E", "UTF8", "--no-sync"], { ...PG_USER, cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`initdb: ${stderr}`);
    await postgres.run();
    return postgres;
  }

  async run(): Promise<void> {
    const args = ["-D", join(this.folder, "data"), "-p", String(this.port), "-c", "listen_addresses=127.0.0.1", "-k", this.folder];
    this.#child = spawn(join(PG_PROGRAMS!, "postgres"), args, { ...PG_USER, cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
    const { stderr } = this.#child;
    await new Promise<void>((resolve) => stderr!.setEncoding("utf8").on("data", (text: string) => text.includes("ready to accept connections") && resolve()));
  }

  /** As a power cut does: what was committed is there afterwards. */
  async stop(): Promise<void> {
    const ended = once(this.#child!, "exit");
    this.#child!.kill("SIGQUIT");
    await ended;
  }

  async end(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
