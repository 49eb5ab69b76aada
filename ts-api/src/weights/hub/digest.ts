/** The digests by which the Hub names its files: from an ETag to a digest, from bytes to theirs. */
import { runtime } from "#runtime";
import { toHex } from "../../core/numerics.js";
import type { Hasher } from "../../runtime/env.js";

/** The expected digest of a file. */
export interface Digest {
  /** "sha256": of the bytes, as Git LFS names large files. "git": SHA-1 with git's header, as git names small ones. */
  readonly kind: "sha256" | "git";
  readonly hex: string;
}

/** The digest in an ETag of the Hub; undefined for other ETags. */
export function digestOfEtag(etag: string): Digest | undefined {
  if (/^[0-9a-f]{64}$/.test(etag)) return { kind: "sha256", hex: etag };
  return /^[0-9a-f]{40}$/.test(etag) ? { kind: "git", hex: etag } : undefined;
}

/** A digest of `kind` over a file of `size` bytes, piece by piece. WebCrypto takes whole buffers only. */
export async function startDigest(kind: Digest["kind"], size: number): Promise<Hasher> {
  const hasher = await startHash(kind === "git" ? "sha1" : "sha256");
  if (kind === "git") hasher.update(new TextEncoder().encode(`blob ${size}\0`));
  return hasher;
}

async function startHash(algorithm: "sha1" | "sha256"): Promise<Hasher> {
  if (runtime.createHash !== undefined) return runtime.createHash(algorithm);
  const hash = algorithm === "sha1" ? (await import("@noble/hashes/legacy")).sha1.create() : (await import("@noble/hashes/sha2")).sha256.create();
  return { update: (bytes) => void hash.update(bytes), hex: () => toHex(hash.digest()) };
}
