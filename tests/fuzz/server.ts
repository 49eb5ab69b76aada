/** Requests that no client should send, to a real `ijepa serve`: an answer or a typed error, nothing in its log, and good ones are answered as ever. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { gzipSync } from "node:zlib";
import { startServer, stopped } from "../cli/serve-helpers.js";
import type { FuzzPart } from "./frame.js";
import { damageJson, jsonBytes } from "./json-damage.js";
import { mutate } from "./mutate.js";
import type { Random } from "./random.js";

const MODEL = "tests/goldens/classifiers/classify-single";
const PHOTOS = "tests/goldens/images/files";
const MAX_BODY = 400_000;
/** Damaged numbers may ask for pictures that take long: refused by number of pixels. */
const LIMITS = ["--max-body", String(MAX_BODY), "--max-pixels", "4000000", "--timeout", "20", "--decode-timeout", "10"];
const PATHS = ["/embed", "/embed", "/v1/embeddings", "/v1/embeddings", "/classify", "/search", "/healthz", "/metrics", "/v1/models", "/v1/models/x", "/", "/%zz", "/__proto__", "//embed"];
const METHODS = ["POST", "POST", "POST", "POST", "POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"];
const TYPES = ["image/png", "image/jpeg", "application/octet-stream", "application/json", "APPLICATION/JSON; charset=utf-16", "text/plain", "multipart/form-data; boundary=x", "image/", ""];
const CODINGS = ["gzip", "deflate", "identity", "br", "gzip, gzip", "toString", "x"];
const QUERIES = ["pool=mean", "pool=first", "pool=none", "pool=", "pooling=mean", "pool=mean&pool=first", "normalize=true", "normalize=1", "encoding_format=base64", "top_k=0", "top_k=-1", "top_k=1e9", "top_k=3", "k=5", "__proto__=1", "%zz=%ff", "x"];
/** What a message shows when a value is missing from it. */
const HOLES = /\bundefined\b|\[object /;

interface Parcel {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  /** The client hangs up after so many bytes of the body. */
  readonly cut: number | undefined;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

export const server: FuzzPart = {
  async open() {
    const photos = await Promise.all(["jpeg-420.jpg", "png-rgba.png", "webp-lossy.webp", "jpeg-1x1.jpg"].map(async (name) => new Uint8Array(await readFile(`${PHOTOS}/${name}`))));
    const running = await startServer(["--model", MODEL, "--threads", "1", "--decode-threads", "1", ...LIMITS]);
    const good: Parcel = { method: "POST", path: "/embed", headers: { "content-type": "image/jpeg" }, body: photos[0], cut: undefined };
    const expected = (await send(running.url, good))!.text;
    return {
      async run(random) {
        const parcel = makeParcel(random, photos), answer = await send(running.url, parcel);
        const outcome = answer === undefined ? "cut" : check(parcel, answer);
        if (random.chance(0.2)) assert.equal((await send(running.url, good))?.text, expected, "a good request after it");
        return outcome;
      },
      async close() {
        running.child.kill("SIGTERM");
        await stopped(running);
      },
    };
  },
};

/** A 200 whose body is JSON or metrics, or an error object; its code. */
function check({ method, path, headers }: Parcel, { status, text }: Answer): string {
  assert.ok(status < 500, `${status} ${text.slice(0, 300)}`);
  if (method === "HEAD" || status === 204) return String(status);
  if (status < 300) return "ok";
  assert.notEqual(text, "", `${status} without a body: ${method} ${path} ${JSON.stringify(headers).slice(0, 300)}`);
  const { error } = JSON.parse(text) as { error: { message: string; type: string; param: string | null; code: string } };
  assert.match(error.code, /^[a-z]+[/_][a-z_-]+$/);
  assert.match(error.type, /_error$/);
  assert.ok(error.message.length > 10 && error.message.length < 1000, `a message of ${error.message.length} characters`);
  assert.doesNotMatch(error.message, HOLES);
  return `${status} ${error.code}`;
}

function makeParcel(random: Random, photos: readonly Uint8Array[]): Parcel {
  const query = random.chance(0.3) ? `?${random.pick(QUERIES)}${random.chance(0.2) ? `&${random.pick(QUERIES)}` : ""}` : "";
  const path = random.pick(PATHS), isJson = path === "/v1/embeddings";
  const method = random.pick(METHODS), plain = isJson ? jsonBody(random, photos) : imageBody(random, photos);
  const headers: Record<string, string> = { "content-type": random.chance(0.8) ? (isJson ? "application/json" : "image/png") : random.pick(TYPES) };
  let body = random.chance(0.02) ? new Uint8Array(MAX_BODY + 1) : plain;
  if (random.chance(0.15)) {
    headers["content-encoding"] = random.pick(CODINGS);
    if (headers["content-encoding"] === "gzip" && random.chance(0.7)) body = random.chance(0.5) ? gzipSync(body) : mutate(random, gzipSync(body), photos);
  }
  // Of other methods the client would not frame the body.
  if (!["POST", "PUT", "PATCH"].includes(method) || random.chance(0.5)) headers["content-length"] = String(body.length);
  if (random.chance(0.05)) headers["x-odd"] = "a".repeat(random.int(8000));
  return { method, path: path + query, headers, body, cut: random.chance(0.08) ? random.int(body.length + 1) : undefined };
}

function imageBody(random: Random, photos: readonly Uint8Array[]): Uint8Array {
  const photo = random.pick(photos);
  return random.chance(0.2) ? photo : random.chance(0.1) ? random.bytes(random.int(500)) : mutate(random, photo, photos);
}

function jsonBody(random: Random, photos: readonly Uint8Array[]): Uint8Array {
  const address = () => `data:${random.pick(["image/png", "", "x;y"])};base64,${Buffer.from(imageBody(random, photos)).toString("base64")}`;
  const odd = () => random.pick(["", "data:,", "data:;base64,%zz", "data:;base64,\ud800", "http://127.0.0.1/", "https://[", "file:///etc/passwd", address()]);
  const input = random.chance(0.5) ? address() : Array.from({ length: random.int(5) }, () => (random.chance(0.7) ? address() : odd()));
  const fields = { input, model: null, encoding_format: random.pick(["float", "base64"]), pool: random.pick(["mean", "first"]), normalize: random.chance(0.5), dimensions: null };
  return random.chance(0.3) ? new TextEncoder().encode(JSON.stringify(fields)) : jsonBytes(random, damageJson(random, fields));
}

/** Undefined where the client hung up before there was an answer. */
function send(url: string, { method, path, headers, body, cut }: Parcel): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}${path}`, { method, headers, agent: false }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (part: string) => (text += part));
      incoming.on("end", () => resolve({ status: incoming.statusCode!, text })).on("error", () => resolve(undefined));
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      // A body that is refused by its length is not read to its end.
      if (cut !== undefined || (body.length > MAX_BODY && error.code !== "ECONNREFUSED")) resolve(undefined);
      else reject(error);
    });
    if (cut === undefined) outgoing.end(body);
    else outgoing.write(body.subarray(0, cut), () => outgoing.destroy());
  });
}
