/**
 * A buffer into which parts are read one after the other; each read overwrites the last. Engines free large arrays late, so reading each
 * layer into a new array could use several times the memory.
 */
export class ReadBuffer {
  private memory = new Uint8Array(0);

  /** The first `length` bytes, with their current contents. */
  take(length: number): Uint8Array {
    if (this.memory.length < length) this.memory = new Uint8Array(length);
    return this.memory.subarray(0, length);
  }
}
