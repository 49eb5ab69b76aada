/**
 * Locks a folder for one writer. The lock is a file that names the process, since Node has no locks that the system releases. A lock
 * counts for nothing if its process on this machine is gone or its number belongs to another process; a process of another machine has to
 * renew its lock.
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, link, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { IJepaError } from "../core/errors.js";
import { temporaryName } from "./node-paths.js";
import type { StorageLock } from "./storage.js";

interface Holder {
  readonly token: string;
  readonly host: string;
  readonly pid: number;
  /** When the process started, as the system counts; undefined if it does not tell. */
  readonly started: string | undefined;
}

const NAME = "lock";
/** Milliseconds. */
const RENEWED_EVERY = 5_000;
const STALE_AFTER = 60_000;
const TRIES = 20;

/** @throws IJepaError `collection/locked`, `io/write` */
export async function lockFolder(root: string): Promise<StorageLock> {
  const path = join(root, NAME), token = randomUUID();
  const own: Holder = { token, host: hostname(), pid: process.pid, started: await startOf(process.pid) };
  for (let tries = 0; !(await create(path, JSON.stringify(own), root)); tries++) {
    const holder = await holderOf(path);
    // Just let go.
    if (holder === undefined) continue;
    if (tries >= TRIES || (holder !== "unreadable" && (await isAlive(holder, path)))) throw locked(root, holder);
    if (holder === "unreadable" && !(await isOld(path))) throw locked(root, holder);
    await takeAway(path, holder);
  }
  const timer = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), RENEWED_EVERY);
  timer.unref();
  const isOwn = async () => {
    const holder = await holderOf(path);
    return typeof holder === "object" && holder.token === token;
  };
  return {
    async check() {
      if (!(await isOwn())) throw locked(root, await holderOf(path));
    },
    async release() {
      clearInterval(timer);
      if (await isOwn()) await rm(path, { force: true });
    },
  };
}

/** False if there is a lock already. The lock has its content from the start: it is written under another name first. */
async function create(path: string, content: string, root: string): Promise<boolean> {
  const temporary = temporaryName(path);
  try {
    await writeFile(temporary, content, { flag: "wx" });
    await link(temporary, path);
    return true;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    // Absent: another writer has removed it as a leftover.
    if (code === "EEXIST" || code === "ENOENT") return false;
    // Some network and FAT drives have no links.
    if (["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EMLINK"].includes(code ?? "")) return createPlain(path, content);
    throw new IJepaError("io/write", `Cannot write ${path}: ${message}. Check that the folder may be written.`, { path: root }, { cause });
  } finally {
    await rm(temporary, { force: true });
  }
}

async function createPlain(path: string, content: string): Promise<boolean> {
  return writeFile(path, content, { flag: "wx" }).then(() => true, (error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return false;
    throw new IJepaError("io/write", `Cannot write ${path}: ${error.message}.`, { path }, { cause: error });
  });
}

async function holderOf(path: string): Promise<Holder | "unreadable" | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, "utf8")) as Partial<Holder> | null;
    return typeof holder?.token === "string" && Number.isSafeInteger(holder.pid) ? (holder as Holder) : "unreadable";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? undefined : "unreadable";
  }
}

async function isAlive({ host, pid, started }: Holder, path: string): Promise<boolean> {
  if (host !== hostname()) return !(await isOld(path));
  try {
    process.kill(pid, 0);
  } catch (error) {
    // A process of another user is alive too.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = await startOf(pid);
  return started === undefined || now === undefined || now === started;
}

async function isOld(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info === undefined || Date.now() - info.mtimeMs > STALE_AFTER;
}

/** Removes the lock of a dead holder; if another process was faster, its lock is restored. */
async function takeAway(path: string, dead: Holder | "unreadable"): Promise<void> {
  const aside = temporaryName(path);
  if (!(await rename(path, aside).then(() => true, () => false))) return;
  const taken = await holderOf(aside);
  const isDead = typeof taken === "object" ? typeof dead === "object" && taken.token === dead.token : dead === "unreadable";
  if (!isDead) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true, recursive: true });
}

/** Linux counts ticks since boot; together with the boot id that is unique. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const [text, boot] = await Promise.all([readFile(`/proc/${pid}/stat`, "utf8"), readFile("/proc/sys/kernel/random/boot_id", "utf8")]);
    // The name of the program, in brackets, may hold spaces.
    return `${boot.trim()} ${text.slice(text.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}

function locked(root: string, holder: Holder | "unreadable" | undefined): IJepaError<"collection/locked"> {
  const who = typeof holder === "object" ? `process ${holder.pid} of ${holder.host}` : "another process";
  const message = `${root} is being written by ${who}. A collection has one writer at a time: wait until it is done, or end it.`;
  return new IJepaError("collection/locked", message, { path: root, holder: who });
}
