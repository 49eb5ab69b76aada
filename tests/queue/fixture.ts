/** Pictures, the collection that one process makes of them, and commands that are ended with the test. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { encodePng } from "../../ts-api/src/image/png-writer.js";
import { finish, ijepa, TINY, type Finished } from "../cli/helpers.js";
import { numbers, temporaryFolder } from "../unit/collections/helpers.js";
import { command, installPackage, PASSWORD } from "./servers.js";

const SIDE = 32, BAD = 7;
export const MODEL = ["--model", TINY, "--dtype", "fp32", "--threads", "1"];

export interface Report {
  readonly root: string;
  readonly places: number;
  readonly images: number;
}

/** What the tests of one file share. */
export class Fixture {
  readonly root = temporaryFolder();
  readonly photos = join(this.root, "photos");
  readonly children = new Set<ChildProcess>();
  #whole: Report | undefined;

  /** @param pictures one of them cannot be read */
  constructor(readonly pictures: number) {}

  async prepare(): Promise<void> {
    installPackage();
    mkdirSync(this.photos, { recursive: true });
    for (let i = 0; i < this.pictures; i++) {
      const next = numbers(i + 1), data = Uint8Array.from({ length: SIDE * SIDE * 3 }, () => 128 + 127 * next());
      const png = await encodePng({ data, width: SIDE, height: SIDE, channels: 3 });
      writeFileSync(join(this.photos, `${i}.png`), i === BAD ? png.subarray(0, png.length / 2) : png);
    }
    this.#whole = reportOf(await ijepa(["index", this.photos, "--collection", join(this.root, "whole"), ...MODEL, "--json"]));
    assert.equal(this.#whole.images, this.pictures - 1);
  }

  end(): void {
    for (const child of this.children) child.kill("SIGKILL");
  }

  /** Ends it with the test. */
  keep(child: ChildProcess): ChildProcess {
    this.children.add(child);
    child.on("exit", () => this.children.delete(child));
    return child;
  }

  worker(url: string, engine?: readonly string[], model: readonly string[] = MODEL): ChildProcess {
    return this.keep(command(["worker", "--queue", url, ...model, "--json"], engine));
  }

  producer(url: string, folder: string, ...more: string[]): ChildProcess {
    return this.keep(command(["index", this.photos, "--collection", join(this.root, folder), "--queue", url, ...MODEL, "--json", ...more]));
  }

  /** The root digest of one process, every place once, and the one failure. */
  async sameAsWhole(folder: string, { root: digest, places, images }: Report): Promise<void> {
    const whole = this.#whole!;
    assert.deepEqual({ digest, places, images }, { digest: whole.root, places: whole.places, images: whole.images });
    const collection = await Collection.open(join(this.root, folder)), sources = new Set<string>();
    for await (const { source } of collection.rows()) assert.ok(!sources.has(source) && sources.add(source), `${source} is there once`);
    assert.deepEqual((await collection.failures()).map(({ source }) => source), [join(this.photos, `${BAD}.png`)]);
  }

  /** Workers, the broker and the producer are killed, each at some time; the same command goes on. Returns how many workers were. */
  async killAll(url: string, folder: string, restart: () => Promise<void>): Promise<number> {
    const next = numbers(Date.now()), pause = (most: number) => new Promise((done) => setTimeout(done, most * (0.5 + 0.25 * (1 + next()))));
    let over = false, kills = 0;
    const keepWorking = async (): Promise<void> => {
      while (!over) {
        const child = this.worker(url), ended = finish(child);
        // From when it has begun, so that something is done also where the machine is busy.
        await Promise.race([ended, once(child.stdout!, "data").then(() => pause(3000))]);
        if (!over) kills++;
        child.kill("SIGKILL");
        await ended;
      }
    };
    const workers = [keepWorking(), keepWorking()];
    try {
      const first = this.producer(url, folder), ended = finish(first);
      await pause(2500);
      await restart();
      await pause(1500);
      first.kill("SIGKILL");
      await ended;
      await this.sameAsWhole(folder, reportOf(await finish(this.producer(url, folder))));
    } finally {
      over = true;
      await Promise.all(workers);
    }
    return kills;
  }
}

/** Of a run with one image that cannot be read. */
export function reportOf<T extends Report>({ code, stdout, stderr }: Finished): T {
  assert.equal(code, 3, stderr);
  assert.ok(!`${stdout}${stderr}`.includes(PASSWORD), "the password is told to nobody");
  return JSON.parse(stdout) as T;
}
