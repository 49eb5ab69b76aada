/** A FolderStorage in the file system of Node, Bun and Deno. */
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { IJepaError } from "../core/errors.js";
import { messageOf, shorten } from "../core/show.js";
import type { ByteSource } from "./env.js";
import { mkdir } from "./node-files.js";
import { lockFolder } from "./node-lock.js";
import { isAbsent, syncFolder, temporaryName } from "./node-paths.js";
import { TEMPORARY, type FolderStorage } from "./storage.js";

/** Characters of a path in a message. */
const MAX_SHOWN = 500;
/** Temporary names in the folder itself, which may be one where a user keeps other files. */
const OWN_TEMPORARY = /\.[0-9a-f-]{36}\.tmp$/;

/** @param openFile the runtime's own */
export function nodeStorage(root: string, openFile: (path: string) => Promise<ByteSource>): FolderStorage {
  const at = (path: string) => join(root, path), shown = (path: string) => shorten(at(path), MAX_SHOWN);
  const list = async (folder: string): Promise<string[]> => {
    try {
      return await readdir(at(folder));
    } catch (cause) {
      if (isAbsent(cause)) return [];
      throw new IJepaError("io/read", `Cannot read the folder ${shown(folder)}: ${reason(cause)}.`, { path: shown(folder) }, { cause });
    }
  };
  const writing = async (path: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (cause) {
      if (cause instanceof IJepaError) throw cause;
      const message = `Cannot write ${shown(path)}: ${reason(cause)}. Check that there is room and that the folder may be written.`;
      throw new IJepaError("io/write", message, { path: shown(path) }, { cause });
    }
  };
  return {
    name: root,
    list,
    async open(path) {
      const info = await stat(at(path)).catch((cause: unknown) => {
        if (isAbsent(cause)) return undefined;
        throw new IJepaError("io/read", `Cannot read ${shown(path)}: ${reason(cause)}.`, { path: shown(path) }, { cause });
      });
      return info === undefined ? undefined : openFile(at(path));
    },
    write: (path, content) =>
      writing(path, async () => {
        const temporary = temporaryName(at(path));
        await mkdir(dirname(temporary));
        try {
          const handle = await open(temporary, "wx");
          try {
            if (content instanceof Uint8Array) await handle.writeFile(content);
            else for await (const chunk of content) await handle.appendFile(chunk);
            await handle.sync();
          } finally {
            await handle.close();
          }
          await rename(temporary, at(path));
        } catch (cause) {
          await rm(temporary, { force: true }).catch(() => undefined); // The first failure is the one to report.
          throw cause;
        }
        await syncFolder(dirname(temporary));
      }),
    rename: (from, to) =>
      writing(to, async () => {
        await mkdir(dirname(at(to)));
        await rename(at(from), at(to));
      }),
    remove: (path) => writing(path, () => rm(at(path), { force: true })),
    async lock() {
      await writing("", () => mkdir(root));
      const lock = await lockFolder(root);
      for (const folder of [".", "parts", "cache"]) {
        const left = (await list(folder)).filter((name) => (folder === "." ? OWN_TEMPORARY.test(name) : name.endsWith(TEMPORARY)));
        await Promise.all(left.map((name) => rm(join(at(folder), name), { force: true })));
      }
      return lock;
    },
  };
}

function reason(cause: unknown): string {
  return shorten(messageOf(cause), MAX_SHOWN);
}
