/** From decoded images, in order, to the batches that the encoder takes: images of one shape. */
import { Tensor } from "../core/tensor.js";
import type { Prefetch } from "./prefetch.js";
import type { Begun, Prepared } from "./results.js";

/** Most results of a group, with those that need no encoder. */
const MAX_GROUP = 64;

/**
 * Results in order, with at most `batchSize` images for the encoder in a group, all of one shape. A group waits only for images whose
 * work has begun, so images that arrive one by one are answered one by one. An error that ends the job is thrown after the results before
 * it.
 */
export async function* groupsOf<T>(prefetch: Prefetch<T, Begun>, batchSize: number): AsyncGenerator<Begun[]> {
  /** Of another shape than the group before it. */
  let held: Begun | undefined;
  const take = async (): Promise<Begun | undefined> => {
    const next = held ?? (await prefetch.take())?.result;
    held = undefined;
    return next;
  };
  for (let first = await take(); first !== undefined; first = await take()) {
    const group = [first];
    let shape = shapeOf(first), images = shape === undefined ? 0 : 1;
    let end: { error: unknown } | undefined;
    while (images < batchSize && group.length < MAX_GROUP && prefetch.begun > 0) {
      const next = await take().catch((error: unknown) => void (end = { error }));
      if (next === undefined) break;
      const its = shapeOf(next);
      if (shape !== undefined && its !== undefined && its !== shape) {
        held = next;
        break;
      }
      shape ??= its;
      images += its === undefined ? 0 : 1;
      group.push(next);
    }
    yield group;
    if (end !== undefined) throw end.error;
  }
}

function shapeOf(one: Begun): string | undefined {
  return one.kind === "prepared" ? one.image.pixelValues.dims.join() : undefined;
}

/** Parts of 8, 4, 2, 1: the encoder keeps a program for each size. */
export function* powersOfTwo<T>(items: readonly T[]): Generator<T[]> {
  for (let from = 0; from < items.length; ) {
    const size = 2 ** Math.floor(Math.log2(items.length - from));
    yield items.slice(from, from + size);
    from += size;
  }
}

/** Stacks batches in memory that is used again: an array for each batch would be garbage by the megabyte. */
export class BatchStack {
  #space = new Float32Array(0);

  /** @returns a tensor that the next call writes over */
  stack(batch: readonly Prepared[]): Tensor<"float32"> {
    const [{ image: { pixelValues: { dims, size } } }] = batch, length = batch.length * size;
    if (this.#space.length < length) this.#space = new Float32Array(length);
    batch.forEach(({ image }, i) => this.#space.set(image.pixelValues.data, i * size));
    return new Tensor("float32", this.#space.subarray(0, length), [batch.length, ...dims.slice(1)]);
  }
}
