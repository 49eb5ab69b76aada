/** A `FolderStorage` in memory. */
import { IJepaError } from "../core/errors.js";
import type { FolderStorage } from "../runtime/storage.js";

/** Storage for `Collection` in memory: for tests, for browsers without a private file system, for temporary collections. */
export function memoryStorage(name = "memory"): FolderStorage {
  const files = new Map<string, Uint8Array>();
  let locked = false;
  return {
    name,
    list: async (folder) => [...files.keys()].filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1)),
    async open(path) {
      const bytes = files.get(path);
      if (bytes === undefined) return undefined;
      return { name: `${name}/${path}`, size: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length), close: async () => {} };
    },
    async write(path, content) {
      files.set(path, content instanceof Uint8Array ? content.slice() : await gather(content));
    },
    async rename(from, to) {
      const bytes = files.get(from);
      if (bytes === undefined) throw new IJepaError("io/write", `There is no ${from} in ${name}.`, { path: from });
      files.set(to, bytes);
      files.delete(from);
    },
    async remove(path) {
      files.delete(path);
    },
    async lock() {
      if (locked) throw new IJepaError("collection/locked", `${name} is being written by another writer of this program.`, { path: name, holder: "this program" });
      locked = true;
      return { check: async () => {}, release: async () => void (locked = false) };
    },
  };
}

async function gather(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk.slice());
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
