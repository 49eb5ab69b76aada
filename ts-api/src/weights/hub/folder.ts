/** A model of the Hugging Face Hub as a folder whose files are fetched when they are opened. */
import { runtime } from "#runtime";
import { IJepaError, isIJepaError } from "../../core/errors.js";
import type { ByteSource } from "../../runtime/env.js";
import type { ModelFolder, OpenOptions } from "../model-folder.js";
import type { SourceOptions } from "../source-options.js";
import { displayUrl } from "../sources/url.js";
import { HubClient } from "./client.js";
import { DiskStore } from "./disk.js";
import { checkFileName, checkRepo, isCommit, resolveUrl } from "./names.js";
import { DEFAULT_PACE, type Pace } from "./retry.js";
import { readSettings } from "./settings.js";
import type { Check, Report, Store } from "./store.js";
import { WebStore, webHost, type WebHost } from "./web.js";

/** What tests replace. */
export interface HubParts {
  pace?: Partial<Pace>;
  /** Keep the files as a browser or Worker does. */
  web?: WebHost;
}

/**
 * All files of one folder are of one commit: the one that the revision was when the first of them was looked up.
 *
 * @param repo "owner/name"
 * @throws IJepaError `input/value` for an invalid name, revision or setting; TypeError for options of a wrong type
 */
export async function openHubFolder(repo: string, options: SourceOptions, parts: HubParts = {}): Promise<ModelFolder> {
  checkRepo(repo);
  const settings = await readSettings(options);
  const { endpoint, revision, offline, cacheFolder } = settings;
  const client = new HubClient(repo, settings, { ...DEFAULT_PACE, ...parts.pace });
  const web = parts.web ?? (runtime.files === undefined ? webHost : undefined);
  const store: Store = web === undefined ? new DiskStore(runtime.files!, cacheFolder!, client) : new WebStore(web, client);
  let commit = isCommit(revision) ? revision : undefined;

  const openCached = async (name: string): Promise<ByteSource | "absent" | undefined> => {
    const cached = commit ?? (await store.commitOf(revision));
    const source = cached === undefined ? undefined : await store.open(cached, name);
    if (source !== undefined) commit = cached;
    return source;
  };

  const openOffline = async (name: string, required: boolean): Promise<ByteSource | undefined> => {
    const source = await openCached(name);
    if (source === "absent" || (source === undefined && !required)) return undefined;
    if (source !== undefined) return source;
    const where = cacheFolder === undefined || web !== undefined ? "the cache" : cacheFolder;
    const message = `${name} of ${repo} (${revision}) is not in ${where}, and the Hub must not be contacted (local_files_only or HF_HUB_OFFLINE). Load the model once online.`;
    throw new IJepaError("hub/offline", message, { repo, revision, file: name });
  };

  const openOnline = async (name: string, required: boolean, report: Reporter, signal: AbortSignal | undefined): Promise<ByteSource | undefined> => {
    if (commit !== undefined) {
      const cached = await store.open(commit, name);
      if (cached !== undefined) return cached === "absent" ? undefined : cached;
    }
    // With a cached copy, an unreachable Hub is not tried again.
    const hasCopy = commit === undefined && (await store.commitOf(revision)) !== undefined;
    let found;
    try {
      found = await client.find(name, commit ?? revision, signal, { tries: hasCopy ? 1 : undefined, required });
    } catch (error) {
      const cached = hasCopy && isIJepaError(error, "io/read") ? await openCached(name) : undefined;
      if (cached === undefined) throw error;
      return cached === "absent" ? undefined : cached;
    }
    if (found.commit !== undefined) {
      if (commit === undefined) await store.keepCommit(revision, found.commit);
      commit = found.commit;
    }
    const { file } = found;
    if (file === undefined) {
      if (found.commit !== undefined) await store.keepAbsence(found.commit, name);
      return undefined;
    }
    const cached = await store.open(file.commit, name);
    if (cached !== undefined && cached !== "absent") return cached;
    report("download", 0, file.size);
    return store.fetch(file, report.bytesOf(file.size), signal);
  };

  const repair = async (name: string, signal: AbortSignal | undefined): Promise<boolean> => {
    if (commit === undefined || store.check === undefined) return false;
    const kept = await store.check(commit, name);
    if (kept === undefined || kept.actual === kept.expected) return false;
    if (offline) throw damaged(kept, "the Hub must not be contacted (local_files_only or HF_HUB_OFFLINE)");
    let file;
    try {
      ({ file } = await client.find(name, commit, signal));
    } catch (cause) {
      if (!isIJepaError(cause, "io/read")) throw cause;
      throw damaged(kept, cause.message, cause);
    }
    if (file === undefined) throw damaged(kept, "the Hub has it no more");
    const report = reporter(repo, name, options);
    report("download", 0, file.size);
    await (await store.replace!(file, report.bytesOf(file.size), signal)).close();
    return true;
  };

  const pathOf = (name: string): string => displayUrl(resolveUrl(endpoint, repo, commit ?? revision, name));
  return {
    name: repo,
    remote: true,
    pathOf,
    repair,
    async open(name: string, { signal, required = false }: OpenOptions = {}) {
      checkFileName(name);
      const report = reporter(repo, name, options);
      report("initiate", 0, 0);
      const source = await (offline ? openOffline(name, required) : openOnline(name, required, report, signal)).catch((error: unknown) => {
        throw cacheFailure(error, cacheFolder);
      });
      if (source !== undefined) report("done", source.size, source.size);
      return source;
    },
  };
}

function damaged({ path, expected, actual }: Check, why: string, cause?: unknown): IJepaError<"hub/corrupt"> {
  const message = `${path}, in the Hub's cache, is damaged: its digest is ${actual}, and its name says ${expected}. It cannot be fetched again: ${why.replace(/\.$/, "")}. Remove it, or load the model online.`;
  return new IJepaError("hub/corrupt", message, { file: path, expected, actual }, { cause });
}

/** What a file system says of a cache that may not be read. */
function cacheFailure(error: unknown, cacheFolder = ""): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  return new IJepaError("io/read", `Cannot read the Hub's cache: ${error.message}. Check its permissions, or pass another cache_dir.`, { path: cacheFolder }, { cause: error });
}

interface Reporter {
  (status: "initiate" | "download" | "progress" | "done", loaded: number, total: number): void;
  /** Reports progress, a few hundred times at most. */
  bytesOf(total: number): Report;
}

function reporter(name: string, file: string, { progress_callback: callback = () => undefined }: SourceOptions): Reporter {
  const report: Omit<Reporter, "bytesOf"> & ((...args: Parameters<Reporter>) => void) = (status, loaded, total) =>
    callback({ status, name, file, loaded, total, progress: status === "done" ? 100 : total === 0 ? 0 : (100 * loaded) / total });
  return Object.assign(report, {
    bytesOf(total: number): Report {
      let reported = 0;
      return (loaded) => {
        if (loaded < total && loaded - reported < Math.max(65536, total / 400)) return;
        reported = loaded;
        report("progress", loaded, total);
      };
    },
  });
}
