/** The interface of a folder that the library owns: files are read in ranges and written atomically. */
import type { ByteSource } from "./byte-source.js";

/** Held by the one writer. */
export interface StorageLock {
  /** Rejects with IJepaError `collection/locked` where another writer has taken the lock since. */
  check(): Promise<void>;
  /** Lets the next writer in. */
  release(): Promise<void>;
}

/** Paths are relative to the folder, with "/" between their parts. Methods reject with IJepaError `io/read` and `io/write`. */
export interface FolderStorage {
  /** For messages: a path, or what stands for one. */
  readonly name: string;
  /** Names in a folder, in no order; empty where there is none. */
  list(folder: string): Promise<string[]>;
  /** Undefined where there is no such file. */
  open(path: string): Promise<ByteSource | undefined>;
  /** Makes or replaces a file, and the folders above it; the bytes are stored when it resolves. A failure leaves what was there before. */
  write(path: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Gives a file another name, replacing what had it. */
  rename(from: string, to: string): Promise<void>;
  /** Harmless where there is no such file. */
  remove(path: string): Promise<void>;
  /**
   * Becomes the one writer, and clears away what a crashed one left half-written.
   * Rejects with IJepaError `collection/locked` while there is another. The lock of a process that has ended counts for nothing.
   */
  lock(): Promise<StorageLock>;
}

/** Files under their temporary names end in this. */
export const TEMPORARY = ".tmp";
