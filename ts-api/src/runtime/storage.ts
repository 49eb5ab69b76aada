/** The interface of a folder that the library owns: files are read in ranges and written atomically. */
import type { ByteSource } from "./byte-source.js";

/** Held by the one writer. */
export interface StorageLock {
  /** Rejects with IJepaError `collection/locked` if another writer has taken the lock since. */
  check(): Promise<void>;
  /** Lets the next writer in. */
  release(): Promise<void>;
}

/** Paths are relative to the folder, with "/" between their parts. Methods reject with IJepaError `io/read` and `io/write`. */
export interface FolderStorage {
  /** Its name in messages: a path or similar. */
  readonly name: string;
  /** Names in a folder, in no particular order; empty if there is no folder. */
  list(folder: string): Promise<string[]>;
  /** Undefined if there is no such file. */
  open(path: string): Promise<ByteSource | undefined>;
  /**
   * Makes or replaces a file, and the folders above it; the bytes are stored when it resolves. After a failure the old file is unchanged.
   */
  write(path: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Renames a file, replacing an existing one. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, if it exists. */
  remove(path: string): Promise<void>;
  /**
   * Becomes the only writer, and removes files that a crashed writer left half-written. Rejects with IJepaError `collection/locked` while
   * there is another writer. The lock of a process that has ended is ignored.
   */
  lock(): Promise<StorageLock>;
}

/** Files under their temporary names end in this. */
export const TEMPORARY = ".tmp";
