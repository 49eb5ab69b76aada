/** What `ijepa serve` needs from Node: a listening socket, and images of public hosts. Bun and Deno have these modules too. */
import { getRequestListener, RequestError } from "@hono/node-server";
import { createServer, STATUS_CODES, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { IJepaError } from "../core/errors.js";
import { shorten } from "../core/show.js";
import { TickQueue } from "./tick-queue.js";

export interface ListenOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Milliseconds within which `fetch` reads a request, and then answers it. */
  readonly timeout: number;
  /** Makes the JSON body for a request that never reaches `fetch`, because it is not valid HTTP or exceeds a limit. */
  refusal(status: number, code: string, message: string): object;
}

export interface Listening {
  /** Such as "http://127.0.0.1:8080". */
  readonly url: string;
  /** Accepts no more connections; resolves when every request that has arrived is answered and all connections are closed. */
  close(): Promise<void>;
}

/** Time for the head of a request. */
const HEAD_MS = 15_000;
/** How long a connection without a request is kept. */
const IDLE_MS = 5_000;
const MAX_CONNECTIONS = 4096;
/** How often Node looks for connections that are too slow. */
const CHECK_MS = 1_000;
/** By this margin `fetch` answers a slow request before Node does. */
const MARGIN_MS = 5_000;
/** Requests with a body that begin in one round of the event loop: some milliseconds of work between other events. */
const BEGUN_AT_ONCE = 8;
/** Time for clients to receive the last answers. */
const LINGER_MS = 1_000;

/** Reasons why Node's parser refuses a request, by the code of its error; any other code means invalid HTTP. */
const UNREADABLE: Readonly<Record<string, readonly [status: number, code: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "request/headers", "The head of the request is too long. Send fewer or shorter headers."],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "request/too-large", "The chunk extensions of the body are too long."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "request/timeout", "The request took too long to arrive. Send it again, faster."],
};
const NO_HTTP = [400, "request/http", "The request is not valid HTTP."] as const;

/**
 * Serves HTTP.
 *
 * @throws IJepaError `io/listen`
 */
export async function listen(fetch: (request: Request) => Promise<Response>, { host, port, timeout, refusal }: ListenOptions): Promise<Listening> {
  const badRequest = (reason: string) => Response.json(refusal(400, "request/http", `The request is not valid HTTP: ${reason}.`), { status: 400 });
  const respond = getRequestListener((request) => fetch(request), {
    overrideGlobalObjects: false,
    errorHandler: (error) => badRequest(error instanceof RequestError ? error.message : "it cannot be read"),
  });
  const answering = new Set<ServerResponse>(), queue = new TickQueue(BEGUN_AT_ONCE);
  let closing = false;
  let drained: (() => void) | undefined;
  const limits = { requestTimeout: timeout + MARGIN_MS, headersTimeout: Math.min(HEAD_MS, timeout + MARGIN_MS) };
  // Node's own answer to a missing Host header has no body.
  const settings = { ...limits, keepAliveTimeout: IDLE_MS, connectionsCheckingInterval: CHECK_MS, requireHostHeader: false };
  const server = createServer(settings, (request, response) => {
    // HTTP/1.0, which health checks speak, has no Host header.
    if (request.httpVersion === "1.0") request.headers.host ??= "localhost";
    answering.add(response);
    if (closing) response.setHeader("connection", "close");
    response.once("close", () => {
      answering.delete(response);
      if (answering.size === 0) drained?.();
    });
    // Health checks and metrics do not wait.
    if (request.method === "GET" || request.method === "HEAD") void respond(request, response);
    else queue.wait(() => void (response.destroyed || respond(request, response)));
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("checkExpectation", (_request, response) => {
    const body = refusal(417, "request/expectation", "The only expectation that is met is 100-continue.");
    response.writeHead(417, { "content-type": "application/json", connection: "close" }).end(JSON.stringify(body));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const begun = [...answering].some((response) => response.socket === socket && response.headersSent);
    const [status, code, message] = UNREADABLE[error.code ?? ""] ?? NO_HTTP;
    if (!socket.writable || begun || error.code === "ECONNRESET") socket.destroy();
    else socket.end(rawAnswer(status, JSON.stringify(refusal(status, code, message))), () => socket.destroy());
  });
  // No byte in either direction: longer than an answer may take.
  server.setTimeout(2 * (timeout + MARGIN_MS));
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve).once("error", (cause: NodeJS.ErrnoException) => {
      const address = `${shorten(host)}:${port}`, why = cause.code === "EADDRINUSE" ? "it is in use" : shorten(cause.message, 200);
      reject(new IJepaError("io/listen", `Cannot listen on ${address}: ${why}. Choose another port or host.`, { address }, { cause }));
    });
    server.listen(port, host);
  });
  const { address, family, port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${actual}`,
    async close() {
      closing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const response of answering) if (!response.headersSent) response.setHeader("connection", "close");
      if (answering.size > 0) await new Promise<void>((resolve) => (drained = resolve));
      const lingering = setTimeout(() => server.closeAllConnections(), LINGER_MS);
      server.closeIdleConnections();
      await closed;
      clearTimeout(lingering);
    },
  };
}

/** An answer on a connection whose request could not be read. */
function rawAnswer(status: number, body: string): string {
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, "content-type: application/json", `content-length: ${Buffer.byteLength(body)}`, "connection: close"];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
