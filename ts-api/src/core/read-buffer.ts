/**
 * Memory that parts are read into one after the other. Engines free large arrays late: layer after layer read into new ones can fill
 * several times the memory of one. The next read overwrites what the last one gave.
 */
export class ReadBuffer {
  private memory = new Uint8Array(0);

  /** The first `length` bytes, with what was there. */
  take(length: number): Uint8Array {
    if (this.memory.length < length) this.memory = new Uint8Array(length);
    return this.memory.subarray(0, length);
  }
}
