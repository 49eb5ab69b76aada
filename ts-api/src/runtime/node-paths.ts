/** Paths in the file systems of Node, Bun and Deno: temporary names, and errors that mean that nothing is there. */
import { randomUUID } from "node:crypto";
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
