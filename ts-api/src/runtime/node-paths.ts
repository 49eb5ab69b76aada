/** Paths in the file systems of Node, Bun and Deno: temporary names, names that last, and errors that say what a system lacks. */
import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { TEMPORARY } from "./storage.js";

/** A new name beside `path`, for what is renamed to it once it is complete. */
export function temporaryName(path: string): string {
  return `${path}.${randomUUID()}${TEMPORARY}`;
}

/** Whether the system refused because a file, or a folder above it, does not exist. */
export function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Gives undefined for errors with these codes, and throws others. */
export function ignore(...codes: string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (!codes.includes(error.code ?? "")) throw error;
  };
}

/** Puts the names in a folder on disk, where the system opens folders and the file system can do it. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r").catch(ignore("EISDIR", "EPERM", "EACCES"));
  try {
    await handle?.sync().catch(ignore("EPERM", "EINVAL", "EBADF", "ENOSYS", "ENOTSUP"));
  } finally {
    await handle?.close();
  }
}
