/** Rewrites the parts of a collection with the rows that still count, and removes the old parts. */
import type { FolderStorage, StorageLock } from "../runtime/storage.js";
import type { Encoding } from "./encoding.js";
import { pathOfPart, writeManifest } from "./layout.js";
import type { LiveRows } from "./live-rows.js";
import { rowsOfPart, type OpenPart } from "./parts.js";
import { CollectionWriter } from "./writer.js";

/**
 * Writes the rows that count into new parts, then removes the old ones, the oldest first: if it is interrupted at any point, the later of
 * two rows of a place still exists.
 *
 * @param below only parts with fewer rows; without it all, and then rows for removed places are dropped too
 */
export async function compactParts(
  storage: FolderStorage,
  lock: StorageLock,
  encoding: Encoding,
  { parts, live }: { parts: readonly OpenPart[]; live: LiveRows },
  { below = Infinity }: { below?: number | undefined } = {},
): Promise<void> {
  const isOld = ({ entry }: OpenPart) => entry.rows < below, old = parts.filter(isOld), all = [...parts];
  const writer = new CollectionWriter(storage, lock, encoding, all, () => {});
  for (const [number, part] of parts.entries()) {
    if (!isOld(part)) continue;
    let row = 0;
    for await (const group of rowsOfPart(storage, part.entry.name)) {
      for (const one of group) {
        if (live.isLive(number, row)) await writer.put(one);
        else if (below !== Infinity && live.isLast(number, row)) await writer.remove(one.source);
        row++;
      }
    }
  }
  await writer.flush();
  await lock.check();
  await writeManifest(storage, all.filter((part) => !old.includes(part)).map(({ entry }) => entry));
  for (const { entry } of old) await removePart(storage, entry.name);
}

async function removePart(storage: FolderStorage, name: string): Promise<void> {
  await storage.remove(pathOfPart(name));
  for (const file of await storage.list("cache")) if (file.startsWith(name)) await storage.remove(`cache/${file}`);
}
