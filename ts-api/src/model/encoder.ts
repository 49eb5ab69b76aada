/** Runs the plan: buffers, programs per batch size, one layer after the other. */
import { bytesView, readFloats, type Backend, type Program } from "../backends/backend.js";
import { throwIfAborted } from "../core/errors.js";
import type { Dtype } from "../core/numerics.js";
import type { DeviceTensor } from "../ops/contract.js";
import type { IJepaConfig } from "./config.js";
import type { EncoderWeights } from "./load.js";
import { bufferDescs, embeddingCalls, finalCalls, layerCalls, type Buffers } from "./plan.js";

/** Rows (images x tokens) of one pass; larger batches take several. It bounds memory and changes no bit. */
const MAX_ROWS = 1024;

export interface EncodeOptions {
  signal?: AbortSignal | undefined;
  /** Also return the residual stream: after the embedding and after each layer, before the final norm. */
  outputHiddenStates?: boolean | undefined;
}

/** [images][tokens][hidden] f32, row-major. */
export interface EncodeResult {
  lastHiddenState: Float32Array;
  /** One per layer, and first the embedding. */
  hiddenStates: Float32Array[] | undefined;
}

interface Pass {
  buffers: Buffers;
  embedding: Program;
  layers: Program[];
  final: Program;
}

export class Encoder {
  private pass: { batch: number; buffers: Buffers; programs: Map<number, Pass> } | undefined;

  /**
   * @param pause lets the host run timers and signals between layers
   */
  constructor(
    private readonly backend: Backend,
    private readonly config: IJepaConfig,
    private readonly dtype: Dtype,
    private readonly weights: EncoderWeights,
    private readonly pause: () => Promise<void>,
  ) {}

  /**
   * @param pixels [images][channels][height][width] f32, already checked against the config
   * @throws IJepaError `aborted` between layers
   */
  async encode(pixels: Float32Array, images: number, options: EncodeOptions = {}): Promise<EncodeResult> {
    const { numPatches, hiddenSize, numHiddenLayers, numChannels, imageHeight, imageWidth } = this.config;
    const perImage = numPatches * hiddenSize, pixelsPerImage = numChannels * imageHeight * imageWidth;
    const step = Math.min(images, Math.max(1, Math.floor(MAX_ROWS / numPatches)));
    const lastHiddenState = new Float32Array(images * perImage);
    const hiddenStates = options.outputHiddenStates
      ? Array.from({ length: numHiddenLayers + 1 }, () => new Float32Array(images * perImage))
      : undefined;
    for (let first = 0; first < images; first += step) {
      const count = Math.min(step, images - first);
      const input = pixels.subarray(first * pixelsPerImage, (first + count) * pixelsPerImage);
      const collect = async (tensor: DeviceTensor, into: Float32Array) => {
        const data = await readFloats(this.backend, tensor);
        into.set(data.subarray(0, count * perImage), first * perImage);
      };
      const pass = await this.passFor(count);
      await this.runPass(pass, input, options.signal, (index) => hiddenStates && collect(pass.buffers.hidden, hiddenStates[index]));
      await collect(pass.buffers.normed, lastHiddenState);
    }
    return { lastHiddenState, hiddenStates };
  }

  private async runPass(
    pass: Pass, pixels: Float32Array, signal: AbortSignal | undefined, onState: (index: number) => Promise<void> | undefined,
  ): Promise<void> {
    this.backend.write(pass.buffers.pixels, bytesView(pixels));
    this.backend.run(pass.embedding);
    await onState(0);
    for (const [i, layer] of pass.layers.entries()) {
      await this.pause();
      throwIfAborted(signal, `running layer ${i}`);
      this.backend.run(layer);
      await onState(i + 1);
    }
    this.backend.run(pass.final);
  }

  private async passFor(batch: number): Promise<Pass> {
    if (this.pass === undefined || this.pass.batch < batch) {
      if (this.pass !== undefined) Object.values(this.pass.buffers).forEach((tensor: DeviceTensor) => this.backend.release(tensor));
      this.pass = { batch, buffers: this.allocate(batch), programs: new Map() };
    }
    const { buffers, programs } = this.pass;
    const known = programs.get(batch);
    if (known !== undefined) return known;
    const { backend, config, weights } = this;
    const pass: Pass = {
      buffers,
      embedding: await backend.compile(embeddingCalls(config, batch, weights.embedding, buffers)),
      layers: await Promise.all(weights.layers.map((layer) => backend.compile(layerCalls(config, batch, layer, buffers)))),
      final: await backend.compile(finalCalls(config, batch, weights.final, buffers)),
    };
    programs.set(batch, pass);
    return pass;
  }

  private allocate(batch: number): Buffers {
    const descs = Object.entries(bufferDescs(this.config, this.dtype, batch));
    return Object.fromEntries(descs.flatMap(([key, desc]) => (desc === undefined ? [] : [[key, this.backend.alloc(desc)]]))) as unknown as Buffers;
  }
}
