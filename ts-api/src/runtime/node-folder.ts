/** Writes a folder that appears only when it is complete. */
import { mkdir, open, readdir, rename, rm, rmdir, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { IJepaError } from "../core/errors.js";
import { messageOf, shorten } from "../core/show.js";
import type { FolderWriter } from "./env.js";
import { ignore, syncFolder, temporaryName } from "./node-paths.js";
import { endOfLinks } from "./replace-file.js";

/** Characters of a path in a message. */
const MAX_SHOWN = 500;

export async function createFolder(path: string): Promise<FolderWriter> {
  let final = "", temporary = "";
  const handles = new Set<FileHandle>();
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      const shown = shorten(path, MAX_SHOWN), reason = shorten(messageOf(cause), MAX_SHOWN);
      const message = `Cannot write ${shown}: ${reason}. Choose a new or empty folder in a place that may be written and has room.`;
      throw new IJepaError("io/write", message, { path: shown }, { cause });
    }
  };

  await guard(async () => {
    final = await endOfLinks(path);
    temporary = temporaryName(final);
    if ((await entriesOf(final)).length > 0) throw new Error("the folder is there and not empty");
    await mkdir(temporary);
  });
  return {
    name: path,
    createFile: (name) => guard(async () => {
      const handle = await open(join(temporary, name), "wx");
      handles.add(handle);
      return {
        write: (bytes, offset) => guard(async () => {
          for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
        }),
        close: () => guard(async () => {
          await handle.sync();
          handles.delete(handle);
          await handle.close();
        }),
      };
    }),
    commit: () => guard(async () => {
      // An empty folder may be in the way; a folder that was filled meanwhile is not removed.
      await rmdir(final).catch(ignore("ENOENT"));
      await rename(temporary, final);
      await syncFolder(dirname(final));
    }),
    async discard() {
      await Promise.all([...handles].map((handle) => handle.close().catch(() => undefined)));
      handles.clear();
      await guard(() => rm(temporary, { recursive: true, force: true }));
    },
  };
}

/** Empty where there is no folder. */
async function entriesOf(path: string): Promise<string[]> {
  return (await readdir(path).catch(ignore("ENOENT"))) ?? [];
}

