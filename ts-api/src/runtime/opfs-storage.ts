/** A FolderStorage in a browser's origin private file system. */
import { IJepaError } from "../core/errors.js";
import { messageOf } from "../core/show.js";
import { TEMPORARY, type FolderStorage } from "./storage.js";

/** @param root a path of folders, such as "photos.collection" */
export function opfsStorage(root: string): FolderStorage {
  const folderOf = async (path: string, create: boolean): Promise<FileSystemDirectoryHandle | undefined> => {
    let folder = await navigator.storage.getDirectory();
    for (const part of `${root}/${path}`.split("/").filter((name) => name !== "" && name !== ".")) {
      const next = await folder.getDirectoryHandle(part, { create }).catch(orAbsent);
      if (next === undefined) return undefined;
      folder = next;
    }
    return folder;
  };
  const split = (path: string) => [path.slice(0, path.lastIndexOf("/") + 1), path.slice(path.lastIndexOf("/") + 1)] as const;
  const writing = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof IJepaError) throw cause;
      const message = `Cannot write ${root}/${path}: ${messageOf(cause)}. Is there room left for this site?`;
      throw new IJepaError("io/write", message, { path: `${root}/${path}` }, { cause });
    }
  };
  const namesIn = async (folder: string): Promise<string[]> => {
    const handle = await folderOf(folder, false), names: string[] = [];
    if (handle === undefined) return names;
    for await (const [name, { kind }] of handle as unknown as AsyncIterable<[string, FileSystemHandle]>) if (kind === "file") names.push(name);
    return names;
  };
  const fileAt = async (path: string) => {
    const [folder, name] = split(path);
    return (await folderOf(folder, false))?.getFileHandle(name).catch(orAbsent);
  };
  const remove = async (path: string): Promise<void> => {
    const [folder, name] = split(path);
    await (await folderOf(folder, false))?.removeEntry(name).catch(orAbsent);
  };
  // createWritable writes its bytes to the file when it is closed, all at once.
  const write: FolderStorage["write"] = (path, content) =>
    writing(path, async () => {
      const [folder, name] = split(path), handle = await (await folderOf(folder, true))!.getFileHandle(name, { create: true });
      const stream = await handle.createWritable();
      try {
        if (content instanceof Uint8Array) await stream.write(content as Uint8Array<ArrayBuffer>);
        else for await (const chunk of content) await stream.write(chunk as Uint8Array<ArrayBuffer>);
        await stream.close();
      } catch (error) {
        await stream.abort().catch(() => undefined);
        // A file that did not exist must not be left as an empty one.
        if ((await handle.getFile()).size === 0) await remove(path);
        throw error;
      }
    });
  return {
    name: root,
    list: namesIn,
    async open(path) {
      const file = await (await fileAt(path))?.getFile();
      if (file === undefined) return undefined;
      return {
        name: `${root}/${path}`,
        size: file.size,
        async read(offset, length) {
          try {
            return new Uint8Array(await file.slice(offset, offset + length).arrayBuffer());
          } catch (cause) {
            throw new IJepaError("io/read", `Cannot read ${root}/${path}: it changed while being read.`, { path }, { cause });
          }
        },
        close: async () => {},
      };
    },
    write,
    rename: (from, to) =>
      writing(to, async () => {
        const file = await (await fileAt(from))!.getFile();
        await write(to, new Uint8Array(await file.arrayBuffer()));
        await remove(from);
      }),
    remove: (path) => writing(path, () => remove(path)),
    async lock() {
      const release = await holdLock(`ijepa ${root}`);
      if (release === undefined) {
        const message = `${root} is being written by another tab or worker of this site. A collection has one writer at a time.`;
        throw new IJepaError("collection/locked", message, { path: root, holder: "another tab or worker" });
      }
      for (const folder of ["", "parts/", "cache/"]) {
        for (const name of await namesIn(folder)) if (name.endsWith(TEMPORARY) || name.endsWith(".crswap")) await remove(`${folder}${name}`);
      }
      return { check: async () => {}, release: async () => release() };
    },
  };
}

/** A lock that the browser releases when the page is gone; undefined if another page has it. */
function holdLock(name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const held = navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock === null) return resolve(undefined);
      return new Promise<void>((release) => resolve(release));
    });
    held.catch(reject);
  });
}

function orAbsent(error: unknown): undefined {
  const { name } = error as DOMException;
  if (name !== "NotFoundError" && name !== "TypeMismatchError") throw error;
  return undefined;
}
