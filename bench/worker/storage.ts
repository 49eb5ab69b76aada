/**
 * What a Worker reads its model from, outside the Worker's process as at Cloudflare: an R2 bucket, in the protocol that workerd's
 * binding speaks (metadata as JSON, then the bytes), and static assets, whole files without ranges.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";

export interface Storage {
  /** host:port. */
  address: string;
  /** Requests answered since the last call. */
  requests(): number;
  close(): void;
}

interface BucketRequest {
  method: "head" | "get";
  object: string;
  /** 64-bit numbers come as strings. */
  range?: { offset?: string | number; length?: string | number };
}

/** The files of a folder, on the loopback interface. */
export async function serveStorage(folder: string): Promise<Storage> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    const header = request.headers["cf-r2-request"];
    if (header === undefined) asset(folder, request, response);
    else object(folder, JSON.parse(String(header)) as BucketRequest, response);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests() {
      const count = requests;
      requests = 0;
      return count;
    },
    close: () => void server.close(),
  };
}

function asset(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const file = join(folder, basename(decodeURIComponent(new URL(request.url ?? "/", "http://assets").pathname)));
  if (!existsSync(file)) return void response.writeHead(404).end();
  response.writeHead(200, { "Content-Length": statSync(file).size });
  createReadStream(file).pipe(response);
}

function object(folder: string, { method, object: name, range = {} }: BucketRequest, response: ServerResponse): void {
  const file = join(folder, basename(name));
  if (!existsSync(file)) {
    const error = { version: 1, v4code: 10007, message: "The specified key does not exist." };
    return void response.writeHead(404, { "CF-R2-Error": JSON.stringify(error) }).end();
  }
  const { size, mtimeMs } = statSync(file), offset = Number(range.offset ?? 0);
  const length = method === "head" ? 0 : Math.min(Number(range.length ?? size), size - offset);
  const metadata = JSON.stringify({
    name, version: "1", size: String(size), etag: "1", uploaded: String(Math.floor(mtimeMs)), httpFields: {}, customFields: [],
    range: { offset: String(offset), length: String(length) }, checksums: {},
  });
  response.writeHead(200, { "CF-R2-Metadata-Size": Buffer.byteLength(metadata), "Content-Length": Buffer.byteLength(metadata) + length });
  response.write(metadata);
  if (length === 0) response.end();
  else createReadStream(file, { start: offset, end: offset + length - 1 }).pipe(response);
}
