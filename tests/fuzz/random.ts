/** Random choices that a seed decides: the same on every machine. */
import { hash } from "../support/random.js";

export class Random {
  readonly #seed: number;
  #drawn = 0;

  constructor(seed: number) {
    this.#seed = hash(seed, 0x5eed);
  }

  /** A whole number from 0 to 2^32 - 1. */
  u32(): number {
    return hash(this.#seed, this.#drawn++);
  }

  /** A whole number from 0 to `below` - 1. */
  int(below: number): number {
    return Math.floor((this.u32() / 2 ** 32) * below);
  }

  /** A number from `from` to `to`, `to` not included. */
  real(from = 0, to = 1): number {
    return from + (this.u32() / 2 ** 32) * (to - from);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)];
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.real() < probability;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.u32());
  }
}
