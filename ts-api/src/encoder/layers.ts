/** Gives the encoder each layer's weights: all of them on the backend, or streamed with one or two layers at a time. */
import type { Backend } from "../backends/backend.js";
import type { DeviceTensor } from "../ops/contract.js";
import type { PackedBuffer } from "../packing/pack.js";
import type { ReadBuffer } from "../core/read-buffer.js";
import { place as placeBuffer } from "../packing/upload.js";
import { buffersOfLayer, mapLayer, type LayerWeights, type PackedParts } from "../packing/encoder-weights.js";

export interface Layers {
  readonly count: number;
  /** Different tensors; layer i is computed from slot i mod their number, or from another where that one does not fit it. */
  readonly slots: readonly LayerWeights[];
  /**
   * Resolves to a layer's slot when it holds the weights. Layers are requested in order, each after the one before was started.
   * @throws IJepaError as the source of the weights; `aborted`
   */
  ready(index: number, signal?: AbortSignal): Promise<LayerWeights>;
}

export function residentLayers(slots: readonly LayerWeights[]): Layers {
  return { count: slots.length, slots, ready: async (index) => slots[index] };
}

/**
 * Slots of streamed layers. A backend that only enqueues work receives the next layer while one computes, so it needs two slots. If the
 * work is done when a run returns, one slot and the buffer for reading are enough.
 */
export function streamSlots({ synchronous }: Backend): number {
  return synchronous ? 1 : 2;
}

/**
 * Layers that are fetched for every run. While layer i computes, layer i + 1 is fetched, and no further layer. A run that fails leaves
 * the slots as they are; the next run fetches the layers that are missing.
 * @param slots that hold the first layers
 * @param into buffer that layers are read into before they are copied to a slot, one at a time
 */
export function streamedLayers(backend: Backend, parts: PackedParts, slots: readonly LayerWeights[], into: ReadBuffer): Layers {
  return new LayerStream(backend, parts, slots, into);
}

/** A layer being fetched. */
interface Fetch {
  index: number;
  signal: AbortSignal | undefined;
  layer: Promise<LayerWeights<PackedBuffer>>;
}

class LayerStream implements Layers {
  readonly count: number;
  /** For each slot itself, and those that took its place for layers of other formats: nf4 beside bf16. */
  private readonly places: LayerWeights[][];
  /** The layer that a slot holds; none while it is written. */
  private readonly held: Map<LayerWeights, number>;
  /** For each slot a promise that resolves when the runs that were enqueued before its layer was requested are done. */
  private readonly idle: (Promise<unknown> | undefined)[] = [];
  private next: Fetch | undefined;

  constructor(
    private readonly backend: Backend,
    private readonly parts: PackedParts,
    readonly slots: readonly LayerWeights[],
    private readonly into: ReadBuffer,
  ) {
    this.count = parts.layers;
    this.places = slots.map((slot) => [slot]);
    this.held = new Map(slots.map((slot, i) => [slot, i]));
  }

  async ready(index: number, signal?: AbortSignal): Promise<LayerWeights> {
    const at = index % this.slots.length;
    let slot = this.slotOf(index);
    if (slot === undefined) {
      const layer = await this.fetched(index, signal);
      // Otherwise a backend that only enqueues would keep a copy of every layer until its turn comes.
      await this.idle[at];
      slot = this.write(this.places[at], layer);
      this.held.set(slot, index);
    }
    this.idle[(index + 1) % this.slots.length] = quiet(this.backend.read(slot.before.beta));
    this.fetchAhead(index + 1, signal);
    return slot;
  }

  /** The slot that holds a layer already. */
  private slotOf(index: number): LayerWeights | undefined {
    return this.places[index % this.slots.length].find((slot) => this.held.get(slot) === index);
  }

  /** Writes a layer to the slot of its formats, which is made if there is none. */
  private write(place: LayerWeights[], layer: LayerWeights<PackedBuffer>): LayerWeights {
    const slot = place.find((known) => fits(known, layer));
    if (slot === undefined) {
      place.push(mapLayer(layer, (buffer) => placeBuffer(this.backend, buffer)));
      return place.at(-1)!;
    }
    this.held.delete(slot);
    const buffers = buffersOfLayer(layer);
    buffersOfLayer(slot).forEach((tensor: DeviceTensor, i) => this.backend.write(tensor, buffers[i].bytes));
    return slot;
  }

  private async fetched(index: number, signal: AbortSignal | undefined): Promise<LayerWeights<PackedBuffer>> {
    const { next } = this;
    this.next = undefined;
    const wanted = next?.index === index && next.signal === signal;
    // Requests one layer at a time, even after a run that ended early.
    if (next !== undefined && !wanted) await next.layer.catch(() => undefined);
    return wanted ? next.layer : this.parts.layer(index, signal, this.into);
  }

  private fetchAhead(index: number, signal: AbortSignal | undefined): void {
    const known = index >= this.count || this.slotOf(index) !== undefined;
    this.next = known ? undefined : { index, signal, layer: quiet(this.parts.layer(index, signal, this.into)) };
  }
}

/** A promise whose rejection is seen only by those who await it. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Whether the programs of a slot compute a layer: its matrices have the same formats, and its buffers the same sizes. */
function fits(slot: LayerWeights, layer: LayerWeights<PackedBuffer>): boolean {
  const formats = (weights: LayerWeights<unknown>) => [weights.qkv, weights.projection, weights.up, weights.down].map(({ format }) => format);
  const buffers = buffersOfLayer(layer);
  return formats(slot).join() === formats(layer).join() && buffersOfLayer(slot).every((tensor: DeviceTensor, i) => tensor.bytes === buffers[i].bytes.length);
}
