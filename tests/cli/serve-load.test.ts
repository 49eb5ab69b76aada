/** 200 clients at once, for 18 seconds, and a stop in the middle of it: no answer is lost or wrong, and memory stays where it is. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Agent } from "node:http";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pipeline } from "../../ts-api/src/index.js";
import { photo, TINY } from "./helpers.js";
import { send, startServer, stopped } from "./serve-helpers.js";

const CLIENTS = 200;
/** Fewer than clients, so that some are always sent away. */
const CONCURRENCY = 128;
const SECONDS = 18;
const PHOTOS = ["rocket.jpg", "jpeg-420.jpg", "webp-lossy.webp", "png-palette.png", "jpeg-exif6.jpg"];
const MEBIBYTE = 2 ** 20;
/** The heap holds what is under way, the decoders' memory their largest image; measured: 150 MiB. */
const MAX_MEMORY = 400 * MEBIBYTE;

interface Parcel {
  path: string;
  type: string;
  body: Buffer;
  /** SHA-256 of what must come back, in order. */
  digests: string[];
}

interface Tally {
  good: number;
  busy: number;
  /** Told that the server is stopping. */
  stopping: number;
  /** No answer at all. */
  refused: number;
  wrong: string[];
}

async function parcels(): Promise<Parcel[]> {
  const extract = await pipeline("image-feature-extraction", TINY, { dtype: "int4" });
  const files = await Promise.all(PHOTOS.map((name) => readFile(photo(name))));
  const digests: string[] = [];
  for (const file of files) digests.push((await extract(new Uint8Array(file), { pool: "mean" })).numerics.digest);
  await extract.dispose();
  const single = files.map((body, i) => ({ path: "/embed", type: "image/png", body, digests: [digests[i]] }));
  const pairs = [[0, 1], [4, 3, 2]].map((indices) => {
    const input = indices.map((i) => `data:;base64,${files[i].toString("base64")}`);
    return { path: "/v1/embeddings", type: "application/json", body: Buffer.from(JSON.stringify({ input })), digests: indices.map((i) => digests[i]) };
  });
  return [...single, ...pairs];
}

function digestsOf(text: string): string[] {
  const answer = JSON.parse(text) as { numerics: { digest: string } } | { data: { numerics: { digest: string } }[] };
  return ("data" in answer ? answer.data : [answer]).map(({ numerics }) => numerics.digest);
}

/** Resident memory of a process in bytes; undefined where the system does not tell. */
async function memoryOf(pid: number): Promise<number | undefined> {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return undefined;
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(file, "utf8"));
  return match === null ? undefined : Number(match[1]) * 1024;
}

test("the server under load", { timeout: 180_000 }, async (t) => {
  const work = await parcels();
  const server = await startServer(["--model", TINY, "--dtype", "int4", "--concurrency", String(CONCURRENCY)]);
  const tally: Tally = { good: 0, busy: 0, stopping: 0, refused: 0, wrong: [] };
  let stopping = false;

  const client = async (number: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = number; ; i++) {
      const { path, type, body, digests } = work[i % work.length];
      const answer = await send(server.url, path, body, type, agent).catch((error: unknown) => error as Error);
      if (answer instanceof Error) {
        // A connection that is refused or cut after the signal was not taken on; the sums below say whether that is so.
        if (!stopping) tally.wrong.push(answer.message);
        tally.refused++;
        break;
      }
      if (answer.status === 503 && stopping) {
        tally.stopping++;
        break;
      }
      if (answer.status === 429) {
        tally.busy++;
        assert.match(String(answer.headers["retry-after"]), /^[1-9]\d?$/);
        await sleep(200 + (number % 10) * 30);
      } else if (answer.status === 200 && digestsOf(answer.text).join() === digests.join()) {
        tally.good++;
      } else {
        tally.wrong.push(`${answer.status} ${answer.text.slice(0, 200)}`);
      }
    }
    agent.destroy();
  };

  const memory: number[] = [];
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  for (let second = 0; second < SECONDS; second++) {
    await sleep(1000);
    const bytes = await memoryOf(server.child.pid!);
    if (bytes !== undefined) memory.push(bytes);
  }
  stopping = true;
  server.child.kill("SIGTERM");
  await clients;
  const { answered } = await stopped(server);

  const mebibytes = memory.map((bytes) => Math.round(bytes / MEBIBYTE));
  t.diagnostic(`${tally.good} good, ${tally.busy} busy, ${tally.stopping} told of the stop, ${tally.refused} not taken on; MiB: ${mebibytes.join(" ")}`);
  assert.deepEqual(tally.wrong, []);
  // Each client ends with its first refusal after the signal.
  assert.equal(tally.stopping + tally.refused, CLIENTS);
  // What the server says it has answered is what has arrived: also after the signal nothing was lost.
  assert.equal(tally.good + tally.busy + tally.stopping, answered);
  assert.ok(tally.good > 20 && tally.busy > 20, "the load was one");
  assert.ok(Math.max(...memory) < MAX_MEMORY, `${mebibytes.join(" ")} MiB`);
});
