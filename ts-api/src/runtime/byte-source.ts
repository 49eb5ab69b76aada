/** A file or other resource that can be read in ranges. */
export interface ByteSource {
  /** Its name in messages: a path or URL. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /**
   * Reads `length` bytes at `offset`; both are inside the source.
   * @param into `length` bytes that a source may fill and resolve with, instead of new memory; the source must not use it afterwards
   */
  read(offset: number, length: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  /** Releases its resources, such as a file handle. */
  close(): Promise<void>;
}
