/** `ijepa serve` as a process, and clients that say exactly what happened to a request. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { request, type Agent, type IncomingHttpHeaders } from "node:http";
import { finish, start, type Finished } from "./helpers.js";

export interface Started {
  child: ChildProcess;
  url: string;
  /** What the process printed, once it has ended. */
  finished: Promise<Finished>;
}

/** Starts the command and waits until it listens. */
export async function startServer(args: readonly string[]): Promise<Started> {
  const child = start(["serve", "--port", "0", "--json", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const finished = finish(child);
  const line = await Promise.race([
    new Promise<string>((resolve) => child.stdout!.once("data", resolve)),
    finished.then(({ stderr }) => assert.fail(`it ended: ${stderr}`)),
  ]);
  return { child, url: (JSON.parse(line) as { url: string }).url, finished };
}

/** The object that the command prints when it has stopped. */
export async function stopped({ finished }: Started): Promise<{ answered: number }> {
  const { code, signal, stdout, stderr } = await finished;
  assert.deepEqual([code, signal, stderr], [0, null, ""]);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as { answered: number };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** One request; rejects where no answer came. */
export function send(url: string, path: string, body: Uint8Array | undefined, type: string, agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const headers = body === undefined ? {} : { "content-type": type, "content-length": body.length };
    const outgoing = request(`${url}${path}`, { method, headers, ...(agent === undefined ? {} : { agent }) }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (part: string) => (text += part));
      incoming.on("error", reject).on("end", () => resolve({ status: incoming.statusCode!, headers: incoming.headers, text }));
    });
    outgoing.on("error", reject).end(body);
  });
}
