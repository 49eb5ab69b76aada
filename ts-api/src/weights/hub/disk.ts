/**
 * The Hub's cache on a disk, in the layout of huggingface_hub, so that it is shared with Python:
 *
 *     models--OWNER--NAME/refs/REVISION                  the commit that the revision was
 *     models--OWNER--NAME/blobs/ETAG                     the bytes
 *     models--OWNER--NAME/snapshots/COMMIT/FILE          a link to them
 *     models--OWNER--NAME/.no_exist/COMMIT/FILE          the model has no such file
 *
 * Several processes may fill it at once. A process writes only to files that it made itself, under names that no other uses; what
 * is complete and right is renamed. Locks are not needed for that, and the host has none that Python would see.
 */
import { runtime } from "#runtime";
import { IJepaError } from "../../core/errors.js";
import { messageOf } from "../../core/show.js";
import type { ByteSource, Files, FileWriter, Hasher } from "../../runtime/env.js";
import { readRange } from "../sources/bytes.js";
import { openFileIfPresent } from "../sources/file.js";
import type { HubClient, RemoteFile } from "./client.js";
import { digestOfEtag, startDigest } from "./digest.js";
import { cacheFolderName } from "./names.js";
import { sleep } from "./retry.js";
import { corrupt, type Cached, type Check, type Report, type Store } from "./store.js";
import { download } from "./transfer.js";

/** Suffix of files that are being written, as in huggingface_hub. */
const WRITING = ".incomplete";
/** Suffix of downloads that ended early: the first bytes of the file, which the next download takes over. */
const STOPPED = ".ijepa-stopped";
const OWN_WRITING = `.ijepa${WRITING}`;
/** Milliseconds between two checks of another process's download. */
const LOOK_EVERY = 200;
/** A download that was last written this many milliseconds ago has no process any more. */
const FORGOTTEN = 3_600_000;
const COPY_BYTES = 8 * 2 ** 20;

interface Download {
  readonly path: string;
  readonly size: number;
  readonly modified: number;
  /** Made here: it holds the start of the file and nothing else. */
  readonly ours: boolean;
}

export class DiskStore implements Store {
  readonly #root: string;

  constructor(
    readonly files: Files,
    readonly cacheFolder: string,
    readonly client: HubClient,
  ) {
    this.#root = `${cacheFolder}/${cacheFolderName(client.repo)}`;
  }

  async commitOf(revision: string): Promise<string | undefined> {
    const text = await this.#readText(`${this.#root}/refs/${revision}`);
    const commit = text?.trim();
    return commit !== undefined && /^[0-9a-f]{40}$/.test(commit) ? commit : undefined;
  }

  async keepCommit(revision: string, commit: string): Promise<void> {
    if ((await this.commitOf(revision)) === commit) return;
    const path = `${this.#root}/refs/${revision}`;
    await this.#note(path, new TextEncoder().encode(commit));
  }

  async open(commit: string, name: string): Promise<Cached> {
    const path = this.#pointer(commit, name);
    const found = await this.files.stat(path);
    if (found !== undefined) {
      await this.#checkInside(path);
      return runtime.openFile(path);
    }
    return (await this.files.stat(`${this.#root}/.no_exist/${commit}/${name}`)) === undefined ? undefined : "absent";
  }

  async keepAbsence(commit: string, name: string): Promise<void> {
    await this.#note(`${this.#root}/.no_exist/${commit}/${name}`, new Uint8Array(0));
  }

  async fetch(file: RemoteFile, report: Report, signal: AbortSignal | undefined): Promise<ByteSource> {
    const blob = this.#blob(file);
    await this.#checkPlace(`${this.#root}/blobs`);
    await this.#checkPlace(parentOf(this.#pointer(file.commit, file.name)));
    await this.#writing(blob, () => this.files.makeFolder(`${this.#root}/blobs`));
    if (!(await this.#has(file, blob))) await this.#fill(file, blob, report, signal);
    const pointer = this.#pointer(file.commit, file.name);
    await this.#writing(pointer, () => this.files.link(blob, pointer));
    await this.#checkInside(pointer);
    return runtime.openFile(pointer);
  }

  async check(commit: string, name: string): Promise<Check | undefined> {
    const path = this.#pointer(commit, name), real = await this.files.realPath(path);
    const digest = digestOfEtag(real?.split(/[/\\]/).at(-1) ?? "");
    if (real === undefined || digest === undefined) return undefined;
    const source = await runtime.openFile(real);
    try {
      const hash = await startDigest(digest.kind, source.size);
      for (let at = 0; at < source.size; at += COPY_BYTES) hash.update(await readRange(source, at, Math.min(COPY_BYTES, source.size - at)));
      return { path, actual: hash.hex(), expected: digest.hex };
    } finally {
      await source.close();
    }
  }

  async replace(file: RemoteFile, report: Report, signal: AbortSignal | undefined): Promise<ByteSource> {
    await this.#checkPlace(`${this.#root}/blobs`);
    await this.#writing(this.#blob(file), () => this.files.remove(this.#blob(file)));
    return this.fetch(file, report, signal);
  }

  #blob({ etag }: RemoteFile): string {
    return `${this.#root}/blobs/${etag}`;
  }

  async #has(file: RemoteFile, blob: string): Promise<boolean> {
    return (await this.files.stat(blob))?.size === file.size;
  }

  /** Downloads a blob. If its digest is wrong, it is fetched once more from its first byte. */
  async #fill(file: RemoteFile, blob: string, report: Report, signal: AbortSignal | undefined): Promise<void> {
    const { digest } = file;
    for (let attempt = 1; ; attempt++) {
      if (attempt === 1) await this.#waitForOthers(file, blob, report, signal);
      if (await this.#has(file, blob)) return;
      const own = `${blob}.${crypto.randomUUID()}${OWN_WRITING}`;
      const hash = digest === undefined ? undefined : await startDigest(digest.kind, file.size);
      await this.#write(file, own, hash, attempt === 1, report, signal);
      const actual = hash?.hex();
      if (actual === digest?.hex) return this.#publish(file, own, blob);
      await this.files.remove(own);
      if (attempt === 2) throw corrupt(file, actual);
    }
  }

  /** Writes the whole file to `own`; after a failure the partial file is left for the next download. */
  async #write(file: RemoteFile, own: string, hash: Hasher | undefined, takeOver: boolean, report: Report, signal: AbortSignal | undefined): Promise<void> {
    const writer = await this.#writing(own, () => this.files.create(own));
    let at = 0;
    const add = async (chunk: Uint8Array): Promise<void> => {
      await this.#writing(own, () => writer.write(chunk));
      hash?.update(chunk);
      at += chunk.length;
      report(at);
    };
    try {
      if (takeOver) await this.#takeOver(file, own, add, signal);
      for await (const chunk of download(this.client, file, at, signal)) await add(chunk);
      await this.#writing(own, () => writer.finish());
    } catch (error) {
      await this.#leave(own, writer, at);
      throw error;
    }
  }

  /** Starts with what an earlier download got, the longest of several. It is copied: its process may still be alive. */
  async #takeOver(file: RemoteFile, own: string, add: (chunk: Uint8Array) => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const left = (await this.#downloadsOf(file.etag)).filter(({ path, size, ours }) => ours && path !== own && size > 0 && size <= file.size);
    const [longest] = left.sort((a, b) => b.size - a.size);
    const source = longest === undefined ? undefined : await openFileIfPresent(longest.path);
    if (source === undefined) return;
    try {
      for (let at = 0; at < source.size; at += COPY_BYTES) {
        await add(await readRange(source, at, Math.min(COPY_BYTES, source.size - at), signal));
      }
    } finally {
      await source.close();
    }
    await this.#removeLeft(left, FORGOTTEN);
  }

  async #publish(file: RemoteFile, own: string, blob: string): Promise<void> {
    try {
      await this.files.rename(own, blob);
    } catch (cause) {
      // Another process was first and has removed this file; or its blob is open, on a system where open files cannot be replaced.
      if (!(await this.#has(file, blob))) throw cannotWrite(blob, cause);
      await this.files.remove(own).catch(() => undefined);
    }
    await this.#removeLeft(await this.#downloadsOf(file.etag), this.client.pace.abandoned);
  }

  /** Removes our downloads that ended early, and those that were last written this many milliseconds ago. */
  async #removeLeft(downloads: readonly Download[], age: number): Promise<void> {
    const left = downloads.filter(({ path, modified, ours }) => ours && (path.endsWith(STOPPED) || Date.now() - modified > age));
    await Promise.all(left.map(({ path }) => this.files.remove(path).catch(() => undefined)));
  }

  async #leave(own: string, writer: FileWriter, size: number): Promise<void> {
    await writer.close().catch(() => undefined);
    const stopped = own.slice(0, -OWN_WRITING.length) + STOPPED;
    await (size === 0 ? this.files.remove(own) : this.files.rename(own, stopped)).catch(() => undefined);
  }

  /** Returns once no other process downloads the blob: it is complete, or its file no longer grows. */
  async #waitForOthers(file: RemoteFile, blob: string, report: Report, signal: AbortSignal | undefined): Promise<void> {
    const { abandoned } = this.client.pace;
    const seen = new Map<string, { size: number; since: number }>();
    while (!(await this.#has(file, blob))) {
      const now = Date.now();
      const growing = (await this.#downloadsOf(file.etag)).filter(({ path, size, modified }) => {
        const last = seen.get(path);
        if (last?.size !== size) seen.set(path, { size, since: last === undefined ? Math.min(modified, now) : now });
        return path.endsWith(WRITING) && now - seen.get(path)!.since < abandoned;
      });
      if (growing.length === 0) return;
      report(Math.min(file.size, Math.max(...growing.map(({ size }) => size))));
      await sleep(LOOK_EVERY, signal);
    }
  }

  /** The downloads of a blob that are running or ended early. */
  async #downloadsOf(etag: string): Promise<Download[]> {
    const folder = `${this.#root}/blobs`;
    const names = (await this.files.list(folder)).filter((name) => name.startsWith(`${etag}.`) && (name.endsWith(WRITING) || name.endsWith(STOPPED)));
    const found = await Promise.all(
      names.map(async (name) => {
        const info = await this.files.stat(`${folder}/${name}`);
        return { path: `${folder}/${name}`, size: info?.size ?? 0, modified: info?.modified ?? 0, ours: /\.ijepa[.-]/.test(name), kind: info?.kind };
      }),
    );
    return found.filter(({ kind }) => kind === "file");
  }

  #pointer(commit: string, name: string): string {
    return `${this.#root}/snapshots/${commit}/${name}`;
  }

  /** A link that leads out of the cache is not followed: its target did not come from the Hub. */
  async #checkInside(path: string): Promise<void> {
    const [real, ...roots] = await Promise.all([path, this.cacheFolder, this.#root].map((one) => this.files.realPath(one)));
    const inside = roots.some((root) => root !== undefined && real !== undefined && (real.startsWith(`${root}/`) || real.startsWith(`${root}\\`)));
    if (inside) return;
    throw leadsOut(path, String(real));
  }

  /** Nothing is written through a link that leads out of the cache. */
  async #checkPlace(folder: string): Promise<void> {
    const root = await this.files.realPath(this.cacheFolder);
    for (let at = folder; root !== undefined && at.length > this.cacheFolder.length; at = parentOf(at)) {
      const real = await this.files.realPath(at);
      if (real === undefined) continue;
      if (real.startsWith(`${root}/`) || real.startsWith(`${root}\\`)) return;
      throw leadsOut(at, real);
    }
  }

  /**
   * Stores a small fact, replacing an existing file or link: nothing is written through a link. A cache that cannot be written can still
   * be read.
   */
  async #note(path: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#checkPlace(parentOf(path));
      const own = `${path}.${crypto.randomUUID()}${OWN_WRITING}`, writer = await this.files.create(own);
      try {
        await writer.write(bytes);
        await writer.finish();
        await this.files.rename(own, path);
      } catch (cause) {
        await writer.close().catch(() => undefined);
        await this.files.remove(own);
        throw cause;
      }
    } catch {
      return;
    }
  }

  async #readText(path: string): Promise<string | undefined> {
    const info = await this.files.stat(path);
    if (info?.kind !== "file" || info.size > 100) return undefined;
    const source = await runtime.openFile(path);
    try {
      return new TextDecoder().decode(await readRange(source, 0, source.size));
    } finally {
      await source.close();
    }
  }

  async #writing<T>(path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw cannotWrite(path, cause);
    }
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function leadsOut(path: string, real: string): IJepaError<"io/read"> {
  return new IJepaError("io/read", `${path} is a link that leads out of the Hub's cache, to ${real}. Remove it, or pass another cache_dir.`, { path });
}

function cannotWrite(path: string, cause: unknown): IJepaError<"io/write"> {
  const reason = messageOf(cause);
  const message = `Cannot write ${path}: ${reason}. Check the space and the permissions of the Hub's cache, or pass another cache_dir.`;
  return new IJepaError("io/write", message, { path }, { cause });
}
