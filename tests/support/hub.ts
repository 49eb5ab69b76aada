/** A stand-in for the Hugging Face Hub on loopback: the Hub, and the other host that it redirects large files to. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { sha256 } from "./sha256.js";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export interface SeenRequest {
  host: "hub" | "cdn";
  method: string;
  path: string;
  range: string | undefined;
  authorization: string | undefined;
}

/** Answers a request in place of the stand-in; false leaves it to the stand-in. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => boolean | void;

export interface HubStandIn {
  /** What HF_ENDPOINT is set to. */
  endpoint: string;
  /** Files of the only model, `repo`, at COMMIT and main. */
  repo: string;
  files: Map<string, Uint8Array>;
  /** Files that are kept elsewhere, as Git LFS has them; the others come from the Hub itself. */
  large: Set<string>;
  requests: SeenRequest[];
  /** Bytes of bodies that were handed to the network. */
  sent: number;
  /** Changes a header of the Hub's answers, by its name; the others stay as they are. */
  headers: Record<string, string>;
  onHub: Answer | undefined;
  onCdn: Answer | undefined;
  /** As an honest server: with ranges where they are asked for. */
  sendFile(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array): void;
  /** Refuses connections until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export function gitSha(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** Bytes that differ everywhere. */
export function someBytes(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24);
}

export async function openHubStandIn(repo: string, files: Record<string, Uint8Array>, large: readonly string[] = ["model.safetensors"]): Promise<HubStandIn> {
  const servers: Server[] = [];
  const hub: HubStandIn = {
    endpoint: "",
    repo,
    files: new Map(Object.entries(files)),
    large: new Set(large),
    requests: [],
    sent: 0,
    headers: {},
    onHub: undefined,
    onCdn: undefined,
    sendFile,
    async stop() {
      await Promise.all(servers.map((server) => new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      })));
    },
    async start() {
      for (const [i, server] of servers.entries()) await listen(server, ports[i]);
    },
  };
  const ports: number[] = [];
  for (const host of ["hub", "cdn"] as const) {
    const server = createServer((request, response) => {
      const { method = "", url: path = "", headers } = request;
      hub.requests.push({ host, method, path, range: headers.range, authorization: headers.authorization });
      if ((host === "hub" ? hub.onHub : hub.onCdn)?.(request, response) === true) return;
      (host === "hub" ? answerAsHub : answerAsCdn)(request, response);
    });
    servers.push(server);
    ports.push(await listen(server, 0));
  }
  hub.endpoint = `http://127.0.0.1:${ports[0]}`;
  return hub;

  function answerAsHub(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? "", hub.endpoint);
    if (pathname.startsWith("/api/")) return answerAsApi(pathname, response);
    const [owner, name, verb, revision, file] = pathname.slice(1).split("/").map(decodeURIComponent);
    if (`${owner}/${name}` !== hub.repo || verb !== "resolve") return refuse(response, 404, "RepoNotFound");
    if (!["main", COMMIT].includes(revision)) return refuse(response, 404, "RevisionNotFound");
    response.setHeader("x-repo-commit", hub.headers["x-repo-commit"] ?? COMMIT);
    const bytes = hub.files.get(file);
    if (bytes === undefined) return refuse(response, 404, "EntryNotFound");
    if (hub.large.has(file)) {
      response.setHeader("x-linked-etag", `"${sha256(bytes)}"`);
      response.setHeader("x-linked-size", bytes.length);
      response.writeHead(302, { location: `http://127.0.0.1:${ports[1]}/${file}?signature=s` }).end();
      return;
    }
    response.setHeader("etag", hub.headers["etag"] ?? `"${gitSha(bytes)}"`);
    hub.sendFile(request, response, bytes);
  }

  function answerAsApi(path: string, response: ServerResponse): void {
    const revision = decodeURIComponent(path.split("/").at(-1) ?? "");
    if (!path.startsWith(`/api/models/${hub.repo}/revision/`)) return refuse(response, 404, "RepoNotFound");
    if (!["main", COMMIT].includes(revision)) return refuse(response, 404, "RevisionNotFound");
    const siblings = [...hub.files].map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      blobId: gitSha(bytes),
      ...(hub.large.has(rfilename) ? { lfs: { sha256: sha256(bytes), size: bytes.length } } : {}),
    }));
    response.setHeader("content-type", "application/json").end(JSON.stringify({ sha: COMMIT, siblings }));
  }

  function answerAsCdn(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? "", hub.endpoint);
    const bytes = hub.files.get(pathname.slice(1));
    if (bytes === undefined) return refuse(response, 404);
    response.setHeader("etag", '"of the store, no digest"');
    hub.sendFile(request, response, bytes);
  }

  function sendFile(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array): void {
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const start = Number(range?.[1] ?? 0), end = Math.min(Number(range?.[2] ?? Infinity), bytes.length - 1);
    if (range !== null && start > end) return refuse(response, 416);
    if (range !== null) response.setHeader("content-range", `bytes ${start}-${end}/${bytes.length}`);
    const part = bytes.subarray(start, end + 1);
    response.setHeader("content-length", part.length);
    response.writeHead(range === null ? 200 : 206);
    if (request.method === "HEAD") return void response.end();
    hub.sent += part.length;
    response.end(part);
  }
}

export function refuse(response: ServerResponse, status: number, code?: string, message?: string): void {
  if (code !== undefined) response.setHeader("x-error-code", code);
  if (message !== undefined) response.setHeader("x-error-message", message);
  response.writeHead(status).end("no");
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
