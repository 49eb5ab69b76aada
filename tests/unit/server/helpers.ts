/** A server without a socket, and requests to it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pipeline } from "../../../ts-api/src/index.js";
import { createServer, type ImageServer, type ServerOptions } from "../../../ts-api/src/server/index.js";

export const FILES = "tests/goldens/images/files";
export const TINY = "tests/goldens/models/tiny";

/** The smallest model of the goldens, and features computed without a server. */
export const extract = await pipeline("image-feature-extraction", TINY, { dtype: "int4" });

export function server(options: ServerOptions = {}): ImageServer {
  return createServer(extract, { name: "tiny", ...options });
}

export function bytesOf(file: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(`${FILES}/${file}`));
}

export function dataUrl(file: string): string {
  return `data:image/*;base64,${Buffer.from(bytesOf(file)).toString("base64")}`;
}

export function post(path: string, body: BodyInit, type = "image/png", init: RequestInit = {}): Request {
  return new Request(`http://server${path}`, { method: "POST", body, headers: { "content-type": type }, ...init });
}

export function postJson(path: string, value: unknown): Request {
  return post(path, JSON.stringify(value), "application/json; charset=utf-8");
}

export interface Embedding {
  embedding: number[] | string;
  dims?: number[];
  index?: number;
  numerics: { digest: string; dtype: string; version: string };
}

/** The JSON of an answer that must be good. */
export async function answer<T>(response: Response): Promise<T> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as T;
}

/** The answer is an error object with this status and code; its message is returned. */
export async function refused(response: Response, status: number, code: string): Promise<{ message: string; param: string | null; type: string }> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  const { error } = JSON.parse(text) as { error: { message: string; type: string; param: string | null; code: string } };
  assert.equal(error.code, code, text);
  assert.ok(error.message.length > 10 && error.message.length < 400, text);
  return error;
}

/** A body that gives `first` and then nothing, until it is cancelled. */
export function stuckBody(first: Uint8Array): { body: ReadableStream<Uint8Array>; cancelled: Promise<void> } {
  let tell = (): void => undefined;
  const cancelled = new Promise<void>((resolve) => (tell = resolve));
  return { body: new ReadableStream({ start: (controller) => controller.enqueue(first), cancel: () => tell() }), cancelled };
}
