/** A hash table from digests to whole numbers. */

/** Slots of an empty table; a power of two. */
const FEWEST = 1024;

/** A hash table from digests of 128 bits to whole numbers; far smaller than a Map of strings. */
export class KeyTable {
  #keys = new Uint32Array(4 * FEWEST);
  #values = new Int32Array(FEWEST).fill(-1);
  #count = 0;

  /** The value of the key that begins at `keys[at]`; -1 where there is none. */
  get(keys: Uint32Array, at: number): number {
    return this.#values[this.#slot(keys, at)];
  }

  /** @param value from 0 up */
  set(keys: Uint32Array, at: number, value: number): void {
    if (1.5 * this.#count >= this.#values.length) this.#grow();
    const slot = this.#slot(keys, at);
    if (this.#values[slot] < 0) {
      this.#count++;
      for (let i = 0; i < 4; i++) this.#keys[4 * slot + i] = keys[at + i];
    }
    this.#values[slot] = value;
  }

  #slot(keys: Uint32Array, at: number): number {
    const own = this.#keys, values = this.#values, mask = values.length - 1;
    for (let slot = keys[at] & mask; ; slot = (slot + 1) & mask) {
      if (values[slot] < 0) return slot;
      const begin = 4 * slot;
      if (own[begin] === keys[at] && own[begin + 1] === keys[at + 1] && own[begin + 2] === keys[at + 2] && own[begin + 3] === keys[at + 3]) return slot;
    }
  }

  #grow(): void {
    const keys = this.#keys, values = this.#values;
    this.#keys = new Uint32Array(2 * keys.length);
    this.#values = new Int32Array(2 * values.length).fill(-1);
    for (let slot = 0; slot < values.length; slot++) {
      if (values[slot] < 0) continue;
      const place = this.#slot(keys, 4 * slot);
      this.#keys.set(keys.subarray(4 * slot, 4 * slot + 4), 4 * place);
      this.#values[place] = values[slot];
    }
  }
}
