/** One digest for all features of a collection. */
import { sha256 } from "@noble/hashes/sha2";
import { toHex } from "../core/numerics.js";
import { runtime } from "#runtime";
import type { LiveRows } from "./live-rows.js";

/** Bytes of a digest. */
const DIGEST = 32;

/**
 * SHA-256, in hex, of one line per image in the order of their ids: id, two spaces, digest of its feature. It does not depend on the
 * order of rows or on the number of places and parts.
 */
export function rootDigest(live: LiveRows): string {
  const pairs = pairsOf(live), order = Uint32Array.from({ length: pairs.length / (2 * DIGEST) }, (_, i) => i).sort((a, b) => compare(pairs, a, b));
  const hash = runtime.createHash?.("sha256") ?? hasher(), encoder = new TextEncoder();
  for (const [at, pair] of order.entries()) {
    if (at > 0 && compare(pairs, order[at - 1], pair) === 0) continue;
    const begin = 2 * DIGEST * pair, middle = begin + DIGEST;
    hash.update(encoder.encode(`${toHex(pairs.subarray(begin, middle))}  ${toHex(pairs.subarray(middle, middle + DIGEST))}\n`));
  }
  return hash.hex();
}

/** Of every live row the id and the digest of its feature, in bytes: of a million rows 64 MB, where texts would take five times that. */
function pairsOf(live: LiveRows): Uint8Array {
  let count = 0, at = 0;
  for (const _ of live.rows()) count++;
  const pairs = new Uint8Array(2 * DIGEST * count), words = new Uint32Array(pairs.buffer);
  for (const { part, row } of live.rows()) {
    const { ids, digests } = live.parts[part];
    for (const from of [ids, digests]) for (let i = 8 * row; i < 8 * row + 8; i++) words[at++] = from[i];
  }
  return pairs;
}

function compare(pairs: Uint8Array, a: number, b: number): number {
  const left = 2 * DIGEST * a, right = 2 * DIGEST * b;
  for (let i = 0; i < 2 * DIGEST; i++) if (pairs[left + i] !== pairs[right + i]) return pairs[left + i] - pairs[right + i];
  return 0;
}

function hasher(): { update(bytes: Uint8Array): void; hex(): string } {
  const hash = sha256.create();
  return { update: (bytes) => void hash.update(bytes), hex: () => toHex(hash.digest()) };
}
