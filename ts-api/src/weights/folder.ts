/** From what a user calls a model (path, URL, name on the Hub, files) to a folder whose files can be opened. */
import { runtime } from "#runtime";
import { IJepaError, isIJepaError } from "../core/errors.js";
import { messageOf, shorten, show } from "../core/show.js";
import { wrongType } from "../core/options.js";
import { describeWrongFile } from "./wrong-file.js";
import { parseJson } from "../core/json.js";
import { readRange } from "./sources/bytes.js";
import { isModelSource, MODEL_KINDS, type ModelFolder, type ModelRef, type OpenOptions } from "./model-folder.js";
import { looksLikeRepo, modelOfAddress } from "./hub/names.js";
import { kindOf, openFileIfPresent, pathOfFileUrl } from "./sources/file.js";
import { displayUrl, openUrlIfPresent } from "./sources/url.js";
import type { SourceOptions } from "./source-options.js";

/** Largest JSON file that is read: far more than any config or index needs. */
const MAX_JSON = 32 * 2 ** 20;
/** Longest name of a model: no system has longer paths, no server takes longer URLs. */
const MAX_REF = 8192;

/**
 * @param ref a local folder, a file: URL or an http(s) URL of a folder, or the name of a model on the Hugging Face Hub; a local path of
 *   that name comes first; or files that the caller opens
 * @throws IJepaError `input/value` when it is none of these; TypeError for options of a wrong type
 */
export async function openFolder(ref: ModelRef, options: SourceOptions = {}): Promise<ModelFolder> {
  if (isModelSource(ref)) return { name: ref.name, remote: true, pathOf: (name) => `${ref.name}/${name}`, open: (name, given) => ref.open(name, given) };
  checkLength(ref);
  const shown = typeof ref === "string" ? modelOfAddress(ref) : undefined;
  if (shown === undefined && (typeof ref !== "string" || !looksLikeRepo(ref) || (await kindOf(ref)) !== undefined)) return folderAt(ref);
  const { openHubFolder } = await import("./hub/folder.js");
  if (shown === undefined) return noFolderHere(await openHubFolder(ref, options));
  const { revision = shown.revision } = options;
  return openHubFolder(shown.repo, revision === undefined ? options : { ...options, revision });
}

/** A folder of the Hub whose name may have been meant as a path: its failures say so. */
function noFolderHere(folder: ModelFolder): ModelFolder {
  return {
    ...folder,
    open: (name, options) =>
      folder.open(name, options).catch((error: unknown) => {
        if (!isIJepaError(error, "io/read") && !isIJepaError(error, "hub/missing")) throw error;
        const { code, message, details } = error;
        throw new IJepaError(code, `${message} There is no folder ${show(folder.name)} here, so the Hugging Face Hub was asked.`, details, { cause: error });
      }),
  };
}

/**
 * Nobody's model has such a name, and messages would repeat it.
 * @throws IJepaError `input/value`
 */
export function checkLength(ref: unknown): void {
  if (typeof ref === "string" && ref.length > MAX_REF) throw badRef(ref, `has ${ref.length} characters, too many for a path, a URL or a name`);
}

/** A folder at a path or URL. */
export function folderAt(ref: string): ModelFolder {
  if (typeof ref !== "string") throw wrongType("A model", MODEL_KINDS, ref);
  checkLength(ref);
  if (ref === "") throw badRef(ref, "is empty");
  if (ref.includes("\0")) throw badRef(ref, "holds a zero byte");
  if (/^https?:/i.test(ref)) return urlFolder(ref);
  if (/^file:/i.test(ref)) return localFolder(pathOfFileUrl(ref));
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(ref)) throw badRef(ref, "is a URL of a kind that cannot be read");
  // In hosts with pages and without files, a path is relative to the page.
  if (runtime.pageUrl !== undefined && URL.canParse(ref, runtime.pageUrl)) return urlFolder(new URL(ref, runtime.pageUrl).href);
  return localFolder(ref);
}

/**
 * The folder of a file, and the file's name in it.
 * @throws IJepaError `input/value` when the reference is neither a path nor a URL that can be read
 */
export function openFolderOf(ref: string): { folder: ModelFolder; name: string } {
  if (/^https?:/i.test(ref) && URL.canParse(ref)) {
    const url = new URL(ref), end = url.pathname.lastIndexOf("/"), name = url.pathname.slice(end + 1);
    url.pathname = url.pathname.slice(0, end);
    try {
      return { folder: folderAt(url.href), name: decodeURIComponent(name) };
    } catch {
      throw badRef(ref, "is not a valid URL");
    }
  }
  const path = /^file:/i.test(ref) ? pathOfFileUrl(ref) : ref, end = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return { folder: folderAt(end < 0 ? "." : path.slice(0, end) || "/"), name: path.slice(end + 1) };
}

/**
 * Reads a file of a folder; undefined if there is none.
 * @throws IJepaError `io/read`, `aborted`
 */
export async function readFile(folder: ModelFolder, name: string, options: OpenOptions): Promise<Uint8Array | undefined> {
  const source = await folder.open(name, options);
  try {
    return source && (await readRange(source, 0, source.size, options.signal));
  } finally {
    await source?.close();
  }
}

/**
 * Reads a JSON file of a folder, as Python's json module does; undefined if there is none.
 * @param refuse makes the error when the file is not JSON, from the file's own name and the problem in words
 * @throws IJepaError from `refuse`, `io/read`, `aborted`
 */
export async function readJson(
  folder: ModelFolder,
  name: string,
  options: OpenOptions,
  refuse: (file: string, problem: string, cause?: unknown) => IJepaError,
): Promise<unknown> {
  return repairing(folder, name, options.signal, () => readJsonOnce(folder, name, options, refuse));
}

/** Reads a file of a folder. If it is refused and turns out to be a damaged cached copy, it is downloaded and read once more. */
export async function repairing<T>(folder: ModelFolder, name: string, signal: AbortSignal | undefined, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const isRefused = isIJepaError(error) && ["config/missing", "weights/format", "config/field"].includes(error.code);
    if (isRefused && (await folder.repair?.(name, signal))) return read();
    throw error;
  }
}

async function readJsonOnce(
  folder: ModelFolder,
  name: string,
  options: OpenOptions,
  refuse: (file: string, problem: string, cause?: unknown) => IJepaError,
): Promise<unknown> {
  const source = await folder.open(name, { ...options, maxBytes: MAX_JSON });
  if (source === undefined) return undefined;
  try {
    if (source.size > MAX_JSON) throw refuse(source.name, `it has ${source.size} bytes; at most ${MAX_JSON} are expected`);
    const bytes = await readRange(source, 0, source.size, options.signal);
    try {
      return parseJson(bytes, { python: true, bom: true });
    } catch (cause) {
      throw refuse(source.name, describeWrongFile(bytes) ?? `it is not JSON (${messageOf(cause)})`, cause);
    }
  } finally {
    await source.close();
  }
}

function localFolder(path: string): ModelFolder {
  const root = path.replace(/[/\\]+$/, "");
  const pathOf = (name: string): string => `${root}/${name}`;
  return { name: path, remote: false, pathOf, open: (name) => openFileIfPresent(pathOf(name)) };
}

function urlFolder(ref: string): ModelFolder {
  if (!URL.canParse(ref)) throw badRef(ref, "is not a valid URL");
  const urlOf = (name: string): URL => {
    const url = new URL(ref);
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/${encodeURIComponent(name)}`;
    url.hash = "";
    return url;
  };
  return {
    name: displayUrl(ref),
    remote: true,
    pathOf: (name) => displayUrl(urlOf(name).href),
    open: (name, options = {}) => openUrlIfPresent(urlOf(name).href, { forbiddenIsAbsent: !options.required, ...options }),
  };
}

function badRef(ref: string, problem: string): IJepaError<"input/value"> {
  const message = `The model ${show(ref)} ${problem}. Pass a folder, an http(s) or file URL of one, or the name of a model on the Hub.`;
  return new IJepaError("input/value", message, { name: "model", value: shorten(ref, MAX_REF) });
}
