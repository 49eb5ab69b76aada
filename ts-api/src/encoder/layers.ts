/** Where the encoder finds a layer's weights: all on the backend, or two at a time. */
import type { Backend } from "../backends/backend.js";
import { IJepaError } from "../core/errors.js";
import type { DeviceTensor } from "../ops/contract.js";
import type { PackedBuffer } from "../packing/pack.js";
import type { ReadBuffer } from "../core/read-buffer.js";
import { buffersOfLayer, type LayerWeights, type PackedParts } from "../packing/encoder-weights.js";

/** Layer i is computed from slot i mod the number of slots. */
export interface Layers {
  readonly count: number;
  /** Different tensors; programs are compiled for these. */
  readonly slots: readonly LayerWeights[];
  /**
   * Resolves when a layer's slot holds its weights. Layers are asked for in order, each after the one before was started.
   * @throws IJepaError as the source of the weights; `aborted`
   */
  ready(index: number, signal?: AbortSignal): Promise<void>;
}

export function residentLayers(slots: readonly LayerWeights[]): Layers {
  return { count: slots.length, slots, ready: async () => undefined };
}

/** Slots of streamed layers: one computes while the next is filled. */
export const STREAM_SLOTS = 2;

/**
 * Layers that are fetched for every run. While layer i computes, layer i + 1 is on its way; nothing further is read ahead.
 * A run that fails leaves the slots as they are: the next run fetches what it lacks.
 * @param slots that hold the first layers
 * @param into what layers are read into on their way to a slot, one at a time
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
  /** The layer in each slot; undefined while it is written. */
  private readonly held: (number | undefined)[];
  /** Of each slot, when the runs enqueued before its last layer was asked for are done. */
  private readonly idle: (Promise<unknown> | undefined)[] = [];
  private next: Fetch | undefined;

  constructor(
    private readonly backend: Backend,
    private readonly parts: PackedParts,
    readonly slots: readonly LayerWeights[],
    private readonly into: ReadBuffer,
  ) {
    this.count = parts.layers;
    this.held = slots.map((_, i) => i);
  }

  async ready(index: number, signal?: AbortSignal): Promise<void> {
    const at = index % this.slots.length;
    if (this.held[at] !== index) {
      const layer = await this.fetched(index, signal);
      // A backend that only enqueues would else keep a copy of every layer until its turn comes.
      await this.idle[at];
      this.held[at] = undefined;
      write(this.backend, this.slots[at], layer, index);
      this.held[at] = index;
    }
    this.idle[(index + 1) % this.slots.length] = quiet(this.backend.read(this.slots[at].before.beta));
    this.fetchAhead(index + 1, signal);
  }

  private async fetched(index: number, signal: AbortSignal | undefined): Promise<LayerWeights<PackedBuffer>> {
    const { next } = this;
    this.next = undefined;
    const wanted = next?.index === index && next.signal === signal;
    // One layer at a time is asked for, also after a run that ended early.
    if (next !== undefined && !wanted) await next.layer.catch(() => undefined);
    return wanted ? next.layer : this.parts.layer(index, signal, this.into);
  }

  private fetchAhead(index: number, signal: AbortSignal | undefined): void {
    const known = index >= this.count || this.held[index % this.slots.length] === index;
    this.next = known ? undefined : { index, signal, layer: quiet(this.parts.layer(index, signal, this.into)) };
  }
}

/** A promise whose failure is reported to who waits for it, and to nobody else. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Every layer must have the buffers of the first: their programs are the same. */
function write(backend: Backend, slot: LayerWeights, layer: LayerWeights<PackedBuffer>, index: number): void {
  const tensors: DeviceTensor[] = buffersOfLayer(slot), buffers = buffersOfLayer(layer);
  const formats = (weights: LayerWeights<unknown>) => [weights.qkv, weights.projection, weights.up, weights.down].map(({ format }) => format);
  const same = formats(slot).join() === formats(layer).join() && tensors.every((tensor, i) => tensor.bytes === buffers[i].bytes.length);
  if (!same) {
    const message = `encoder.layer.${index} is stored in another format than the layers before it, and cannot be streamed. Load the model with resident true.`;
    throw new IJepaError("weights/dtype", message, { tensor: `encoder.layer.${index}`, dtype: formats(layer).join(", ") });
  }
  tensors.forEach((tensor, i) => backend.write(tensor, buffers[i].bytes));
}
