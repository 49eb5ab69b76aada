/** A thread that asks a server how it is, again and again, and sends it one good image after the other: its own loop is never busy. */
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { send } from "./serve-helpers.js";

export interface ProbeData {
  readonly url: string;
  /** An image file. */
  readonly good: Uint8Array;
}

export interface ProbeReport {
  /** Milliseconds of each answer of /healthz. */
  readonly health: number[];
  /** Bodies of the answers to the good images. */
  readonly answers: string[];
}

const { url, good } = workerData as ProbeData, agent = new Agent({ keepAlive: true }), report: ProbeReport = { health: [], answers: [] };
let over = false;
parentPort!.once("message", () => (over = true));

async function ask(path: string, body: Uint8Array | undefined): Promise<string> {
  const { status, text } = await send(url, path, body, "image/jpeg", agent);
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  return text;
}

async function probe(): Promise<void> {
  while (!over) {
    const start = performance.now();
    await ask("/healthz", undefined);
    report.health.push(performance.now() - start);
    await sleep(10);
  }
}

async function embed(): Promise<void> {
  while (!over) report.answers.push(await ask("/embed", good));
}

await Promise.all([probe(), embed()]);
agent.destroy();
parentPort!.postMessage(report);
