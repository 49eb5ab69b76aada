/** What `ijepa serve` needs from Node: a listening socket, and images of public hosts. Bun and Deno have these modules too. */
import { getRequestListener } from "@hono/node-server";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { IJepaError } from "../core/errors.js";

export interface ListenOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Milliseconds within which `fetch` reads a request, and then answers it. */
  readonly timeout: number;
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
/** By so much `fetch` is first with its answer that a request came too slowly. */
const MARGIN_MS = 5_000;
/** Clients have so long to take the last answers. */
const LINGER_MS = 1_000;

/**
 * Serves HTTP.
 *
 * @throws IJepaError `io/listen`
 */
export async function listen(fetch: (request: Request) => Promise<Response>, { host, port, timeout }: ListenOptions): Promise<Listening> {
  const respond = getRequestListener((request) => fetch(request), { overrideGlobalObjects: false });
  const answering = new Set<ServerResponse>();
  let closing = false;
  let drained: (() => void) | undefined;
  const limits = { requestTimeout: timeout + MARGIN_MS, headersTimeout: Math.min(HEAD_MS, timeout + MARGIN_MS) };
  const server = createServer({ ...limits, keepAliveTimeout: IDLE_MS, connectionsCheckingInterval: CHECK_MS }, (request, response) => {
    answering.add(response);
    if (closing) response.setHeader("connection", "close");
    response.once("close", () => {
      answering.delete(response);
      if (answering.size === 0) drained?.();
    });
    void respond(request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  // Neither side moves a byte: longer than it may take to answer.
  server.setTimeout(2 * (timeout + MARGIN_MS));
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve).once("error", (cause: NodeJS.ErrnoException) => {
      const address = `${host}:${port}`, why = cause.code === "EADDRINUSE" ? "it is in use" : cause.message;
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
