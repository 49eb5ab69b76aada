/** Replaces a file atomically, and keeps its permissions. */
import { chmod, open, readlink, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { temporaryName } from "./node-paths.js";

type Content = Uint8Array | AsyncIterable<Uint8Array>;

/** Most links that are followed: as many as Linux follows. */
const MAX_LINKS = 40;
const PERMISSIONS = 0o7777;

/**
 * The file appears under its name when it is complete. A symbolic link is kept: its target is replaced. Pipes and devices are written
 * directly.
 */
export async function replaceFile(path: string, content: Content): Promise<void> {
  const existing = await stat(path).catch(() => undefined);
  if (existing !== undefined && !existing.isFile() && !existing.isDirectory()) return write(await open(path, "w"), content);
  const target = await endOfLinks(path);
  const temporary = temporaryName(target);
  try {
    await write(await open(temporary, "wx"), content);
    if (existing?.isFile() === true) await chmod(temporary, existing.mode & PERMISSIONS);
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined); // The first failure is the one to report.
    throw cause;
  }
}

async function write(file: FileHandle, content: Content): Promise<void> {
  try {
    if (content instanceof Uint8Array) await file.writeFile(content);
    else for await (const chunk of content) await file.appendFile(chunk);
  } finally {
    await file.close();
  }
}

/** The absolute path, through links; their target need not exist. */
export async function endOfLinks(path: string): Promise<string> {
  let target = resolve(path);
  for (let links = 0; links < MAX_LINKS; links++) {
    const next = await readlink(target).catch(() => undefined);
    if (next === undefined) return target;
    target = resolve(dirname(target), next);
  }
  throw new Error("its symbolic links lead in a circle");
}
