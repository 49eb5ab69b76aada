/** A file of the disk as a `ByteSource`, read in ranges. */
import { runtime } from "#runtime";
import { IJepaError, isIJepaError } from "../../core/errors.js";
import { messageOf } from "../../core/show.js";
import type { ByteSource, FileInfo } from "../../runtime/env.js";

/**
 * Opens a local file; undefined if there is none.
 * @throws IJepaError `io/read` when it exists and cannot be read
 */
export async function openFileIfPresent(path: string): Promise<ByteSource | undefined> {
  try {
    return await runtime.openFile(path);
  } catch (error) {
    if (isIJepaError(error, "io/read") && isAbsence(error.cause)) return undefined;
    throw error;
  }
}

/**
 * The kind of entry at a path; undefined if there is none, if the host has no files, or if the program lacks the permission.
 * @throws IJepaError `io/read`
 */
export async function kindOf(path: string): Promise<FileInfo["kind"] | undefined> {
  try {
    return (await runtime.files?.stat(path))?.kind;
  } catch (cause) {
    if (isDenied(cause)) return undefined;
    throw new IJepaError("io/read", `Cannot look at ${path}: ${messageOf(cause)}.`, { path }, { cause });
  }
}

/** True if Deno lacks the permission. */
export function isDenied(error: unknown): boolean {
  return error instanceof Error && error.name === "NotCapable";
}

/**
 * The local path of a file: URL, also on Windows (file:///C:/x is C:/x, file://host/x is //host/x).
 * @throws IJepaError `input/value` when the URL cannot be a path
 */
export function pathOfFileUrl(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    if (/%2f|%5c|%00/i.test(pathname)) throw new Error("it holds an encoded slash or a zero byte");
    const path = decodeURIComponent(pathname);
    if (host !== "") return `//${host}${path}`;
    return /^\/[a-z]:/i.test(path) ? path.slice(1) : path;
  } catch (cause) {
    const message = `${JSON.stringify(url)} is not a file URL that names a path. Pass the path itself.`;
    throw new IJepaError("input/value", message, { name: "model", value: url }, { cause });
  }
}

/** Hosts say ENOENT or ENOTDIR in `code`, or NotFound in `name`. */
function isAbsence(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  return cause.name === "NotFound" || ["ENOENT", "ENOTDIR"].includes(String((cause as { code?: unknown }).code));
}
