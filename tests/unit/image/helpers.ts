/** Golden images, and PNG files made piece by piece. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import type { ErrorCode } from "../../../ts-api/src/core/errors.js";

export const GOLDENS = "tests/goldens/images";

export interface DecodedGolden {
  width: number;
  height: number;
  rgb_sha256: string;
}

export function readBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(`${GOLDENS}/${path}`));
}

export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(`${GOLDENS}/${path}`, "utf8")) as T;
}

/** Checks that `run` fails with an IJepaError of this code whose message matches. */
export async function fails(run: () => unknown, code: ErrorCode, message = /./): Promise<void> {
  await assert.rejects(
    async () => run(),
    (error: unknown) => {
      assert.ok(isIJepaError(error), `not an IJepaError: ${String(error)}`);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    },
  );
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A PNG chunk with the right length and checksum. */
export function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, "latin1");
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return new Uint8Array(chunk);
}

/** A PNG of one IDAT chunk around the compressed data. */
export function png(
  width: number,
  height: number,
  depth: number,
  colourType: number,
  compressed: Uint8Array,
  ...before: Uint8Array[]
): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType], 8);
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return concat(signature, pngChunk("IHDR", header), ...before, pngChunk("IDAT", compressed), pngChunk("IEND", new Uint8Array(0)));
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
