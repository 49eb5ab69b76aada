/** The file system of Node, Bun and Deno. */
import { copyFile, mkdir as makeOne, open, readdir, realpath, rename, rm, stat, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, relative } from "node:path";
import type { Files } from "./env.js";
import { isAbsent, temporaryName } from "./node-paths.js";

export const files: Files = {
  get home() {
    return homedir();
  },

  async stat(path) {
    const info = await orAbsent(() => stat(path));
    if (info === undefined) return undefined;
    return { kind: info.isFile() ? "file" : info.isDirectory() ? "folder" : "other", size: info.size, modified: info.mtimeMs };
  },

  list: async (folder) => (await orAbsent(() => readdir(folder))) ?? [],
  realPath: (path) => orAbsent(() => realpath(path)),
  makeFolder: mkdir,

  async create(path) {
    await mkdir(dirname(path));
    const handle = await open(path, "wx");
    let closed = false;
    const close = async (): Promise<void> => {
      if (closed) return;
      closed = true;
      await handle.close();
    };
    return {
      close,
      // writeFile continues where the last call ended, and makes as many system calls as needed.
      write: (bytes) => handle.writeFile(bytes),
      async finish() {
        await handle.sync();
        await close();
      },
    };
  },

  async link(target, path) {
    await mkdir(dirname(path));
    const temporary = temporaryName(path);
    try {
      await symlink(relative(dirname(path), target), temporary).catch(() => copyFile(target, temporary));
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  },

  rename,
  remove: (path) => rm(path, { force: true }),
  removeFolder: (path) => rm(path, { force: true, recursive: true }),
};

/** Makes a folder and those above it. Node's own way to do so never ends in places such as /proc. */
export async function mkdir(path: string): Promise<void> {
  try {
    await makeOne(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException, above = dirname(path);
    if (code === "ENOENT" && above !== path) {
      await mkdir(above);
      await makeOne(path).catch(unlessFolder(path));
    } else await unlessFolder(path)(error);
  }
}

function unlessFolder(path: string): (error: unknown) => Promise<void> {
  return async (error) => {
    if (!(await stat(path).catch(() => undefined))?.isDirectory()) throw error;
  };
}

/** Names that are too long, and links in a circle, lead nowhere either. */
const NOWHERE = ["ELOOP", "ENAMETOOLONG"];

/** What `look` finds; undefined if nothing is there. */
async function orAbsent<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (isAbsent(error) || NOWHERE.includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
