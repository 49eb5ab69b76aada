/** The file system of Node, Bun and Deno. */
import { copyFile, mkdir, open, readdir, realpath, rename, rm, stat, symlink } from "node:fs/promises";
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
  makeFolder: async (path) => void (await mkdir(path, { recursive: true })),

  async create(path) {
    await mkdir(dirname(path), { recursive: true });
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
    await mkdir(dirname(path), { recursive: true });
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

/** What `look` finds; undefined if nothing is there. */
async function orAbsent<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
