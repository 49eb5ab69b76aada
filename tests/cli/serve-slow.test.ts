/** 200 clients that send an image that takes long, beside good requests: the server stays alive, and the good ones are answered. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { Agent } from "node:http";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { deflateSync } from "node:zlib";
import { png } from "../unit/image/helpers.js";
import { photo, TINY } from "./helpers.js";
import { send, startServer, stopped } from "./serve-helpers.js";

const CLIENTS = 200;
const GOOD = 20;
/** Legal, in colour, and several times the work that one second holds. */
const SIDE = 12_000;

test("slow images at 200 clients: refused at their time limit, while health and good requests are answered", async (t) => {
  const slow = png(SIDE, SIDE, 8, 2, deflateSync(Buffer.alloc(SIDE * (1 + 3 * SIDE))));
  const good = await readFile(photo("jpeg-420.jpg"));
  const limits = ["--decode-timeout", "1", "--timeout", "20", "--max-pixels", "178956970", "--concurrency", "300"];
  const server = await startServer(["--model", TINY, "--dtype", "int4", ...limits]);
  t.after(() => server.child.kill("SIGKILL"));
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const codes = new Map<string, number>();
  let over = false;
  const bad = Promise.all(Array.from({ length: CLIENTS }, async () => {
    const { status, text } = await send(server.url, "/embed", slow, "image/png", agent);
    const name = `${status} ${(JSON.parse(text) as { error?: { code: string } }).error?.code}`;
    codes.set(name, (codes.get(name) ?? 0) + 1);
  })).finally(() => (over = true));

  const health: number[] = [];
  const probing = (async () => {
    while (!over) {
      const start = performance.now();
      assert.equal((await send(server.url, "/healthz", undefined, "", agent)).status, 200);
      health.push(performance.now() - start);
      await sleep(20);
    }
  })();
  for (let i = 0; i < GOOD; i++) assert.equal((await send(server.url, "/embed", good, "image/jpeg", agent)).status, 200);
  assert.equal(over, false, "the slow ones were still there");
  await bad;
  await probing;
  agent.destroy();
  server.child.kill("SIGTERM");
  const { answered } = await stopped(server);

  const sorted = health.sort((a, b) => a - b), p99 = sorted[Math.floor(sorted.length * 0.99)];
  t.diagnostic(`${[...codes].map(([name, count]) => `${count} x ${name}`).join(", ")}; /healthz ${health.length} times, p99 ${p99.toFixed(0)} ms`);
  assert.deepEqual([...codes.keys()].filter((name) => !["400 image/timeout", "503 server/overdue"].includes(name)), []);
  assert.ok(codes.has("400 image/timeout"));
  assert.equal(answered, CLIENTS + GOOD + health.length);
});
