/** One digest for all features of a collection. */
import { sha256 } from "@noble/hashes/sha2";
import { runtime } from "#runtime";
import type { LiveRows } from "./live-rows.js";

/**
 * SHA-256, in hex, of one line per image in the order of their ids: id, two spaces, digest of its feature. It does not depend on the
 * order of rows or on the number of places and parts.
 */
export function rootDigest(live: LiveRows): string {
  const lines = new Set<string>();
  for (const { part, row } of live.rows()) lines.add(`${live.parts[part].id(row)}  ${live.parts[part].digest(row)}\n`);
  const hash = runtime.createHash?.("sha256") ?? hasher(), encoder = new TextEncoder();
  for (const line of [...lines].sort()) hash.update(encoder.encode(line));
  return hash.hex();
}

function hasher(): { update(bytes: Uint8Array): void; hex(): string } {
  const hash = sha256.create();
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
}
