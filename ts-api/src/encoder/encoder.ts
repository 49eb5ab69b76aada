/** Runs the plan: buffers, programs per image size, one layer after the other. */
import { bytesView, readFloats, type Backend, type Program } from "../backends/backend.js";
import { throwIfAborted } from "../core/errors.js";
import { bound } from "../core/float.js";
import type { Dtype } from "../core/numerics.js";
import { bytesOf, type DeviceTensor, type TensorDesc } from "../ops/contract.js";
import { packVector } from "../packing/pack.js";
import type { IJepaConfig } from "../config/config.js";
import type { EncoderWeights } from "./place-weights.js";
import type { LayerWeights } from "../packing/encoder-weights.js";
import { place } from "../packing/upload.js";
import { bufferDescs, embeddingCalls, finalCalls, layerCalls, passSize, type Buffers, type PassSize } from "./plan.js";
import { gatherRows, patchesSideBySide } from "./kept-patches.js";
import type { Pixels } from "./pixels.js";
import { interpolatePositions } from "./position.js";
import { specialLayers, type AttentionOptions } from "./special-layers.js";

/** Image sizes whose programs are kept. */
const MAX_PASSES = 4;

export interface EncodeOptions extends AttentionOptions {
  signal?: AbortSignal | undefined;
  /** Interpolate the positions to the images' grid; without it, images must have the config's size. */
  interpolatePosEncoding?: boolean | undefined;
  /** Also return the residual stream: after the embedding and after each layer, before the final norm. */
  outputHiddenStates?: boolean | undefined;
  /** [images][tokens] numbers of patches: only these are encoded, in this order, at their own positions. */
  keep?: Int32Array | undefined;
  /** [images][tokens], 1 where the patch is replaced by `maskToken`. */
  mask?: Uint8Array | undefined;
  /** [hidden]. */
  maskToken?: Float32Array | undefined;
}

/** [images][tokens][hidden] f32, row-major. */
export interface EncodeResult {
  tokens: number;
  lastHiddenState: Float32Array;
  /** One per layer, and first the embedding. */
  hiddenStates: Float32Array[] | undefined;
  /** One per layer: [images][heads][tokens][tokens]. */
  attentions: Float32Array[] | undefined;
}

/** Where the positions come from: the weights, their interpolation to the images' grid, or either at the kept patches. */
type Grid = "trained" | "interpolated" | "kept";

/** The programs for images of one size, and the tensors that only they use. */
interface Pass {
  size: PassSize;
  grid: Grid;
  /** Positions of the patches, shared by all images; with kept patches each image has its own, written for every run. */
  positions: { host: Float32Array; tensor: DeviceTensor };
  embedding: Program;
  /** By the slot of the weights. */
  layers: Map<LayerWeights, Program>;
  final: Program;
}

export class Encoder {
  private buffers: Buffers | undefined;
  private passes: Pass[] = [];

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
   * @throws IJepaError `aborted` between layers; `input/shape` when positions cannot be interpolated
   */
  async encode(whole: Pixels, options: EncodeOptions = {}): Promise<EncodeResult> {
    const { keep, interpolatePosEncoding: interpolate = false } = options;
    const pixels = keep === undefined ? whole : patchesSideBySide(this.config, whole, keep);
    const keptPositions = keep && gatherRows(this.positionsFor(whole, interpolate), this.config.hiddenSize, keep);
    const grid: Grid = keep !== undefined ? "kept" : interpolate ? "interpolated" : "trained";
    const { data, images, height, width } = pixels;
    const { hiddenSize, numHiddenLayers, numAttentionHeads, numChannels } = this.config;
    const one = passSize(this.config, 1, height, width), { tokens } = one;
    const perImage = tokens * hiddenSize, pixelsPerImage = numChannels * height * width;
    const arrays = (count: number, length: number) => Array.from({ length: count }, () => new Float32Array(images * length));
    const [lastHiddenState] = arrays(1, perImage);
    const hiddenStates = options.outputHiddenStates ? arrays(numHiddenLayers + 1, perImage) : undefined;
    const mapsPerImage = numAttentionHeads * tokens * tokens;
    const step = Math.min(images, this.imagesOfPass(one, options.outputAttentions ? 4 * mapsPerImage : 0));
    const attentions = options.outputAttentions ? arrays(numHiddenLayers, mapsPerImage) : undefined;
    for (let first = 0; first < images; first += step) {
      const count = Math.min(step, images - first);
      const pass = await this.passFor(passSize(this.config, count, height, width), grid);
      const part = <T extends Float32Array | Uint8Array>(array: T, perImage: number) => array.subarray(first * perImage, (first + count) * perImage) as T;
      const collect = async (tensor: DeviceTensor, into: Float32Array, length = perImage) => {
        into.set((await readFloats(this.backend, tensor)).subarray(0, count * length), first * length);
      };
      const { hidden, middle, pixels: input } = this.buffers!;
      this.backend.write(input, bytesView(part(data, pixelsPerImage)));
      if (keptPositions !== undefined) this.writePositions(pass, part(keptPositions, perImage));
      this.backend.run(pass.embedding);
      if (options.mask !== undefined) this.replaceMasked(pass, part(options.mask, tokens), options.maskToken!);
      if (hiddenStates !== undefined) await collect(hidden, hiddenStates[0]);
      const attentionMask = options.attentionMask && part(options.attentionMask, tokens);
      const special = await specialLayers(
        this.backend, this.config, this.dtype, pass.size, this.weights.layers, this.buffers!, { ...options, attentionMask },
      );
      try {
        const { layers } = this.weights;
        for (let i = 0; i < layers.count; i++) {
          await this.pause();
          throwIfAborted(options.signal, `running layer ${i}`);
          const slot = await layers.ready(i, options.signal);
          this.backend.run(await (special === undefined ? this.programOf(pass, slot) : special.program(i, slot)));
          if (hiddenStates !== undefined) await collect(hidden, hiddenStates[i + 1]);
          if (attentions !== undefined) await collect(special!.probabilities!, attentions[i], mapsPerImage);
        }
      } finally {
        special?.release();
      }
      this.backend.run(pass.final);
      await collect(middle, lastHiddenState);
    }
    return { tokens, lastHiddenState, hiddenStates, attentions };
  }

  /** Images in one pass, by the limits of the backend; `extra` is the bytes of a further tensor per image. */
  private imagesOfPass(one: PassSize, extra: number): number {
    const { rows, tensorBytes } = this.backend.pass;
    const sizes = Object.values(bufferDescs(this.config, this.dtype, one)).map((desc) => (desc === undefined ? 0 : bytesOf(desc)));
    return Math.max(1, Math.floor(Math.min(rows / one.tokens, tensorBytes / Math.max(extra, ...sizes))));
  }

  /** A masked patch's row is mask token + position, whatever its pixels. */
  private replaceMasked(pass: Pass, mask: Uint8Array, maskToken: Float32Array): void {
    const { hiddenSize } = this.config, { host } = pass.positions;
    const token = maskToken.map(bound);
    for (const [row, masked] of mask.entries()) {
      if (masked === 0) continue;
      const from = (row * hiddenSize) % host.length;
      this.backend.write(this.buffers!.hidden, bytesView(token.map((v, c) => host[from + c] + v)), row * hiddenSize * 4);
    }
  }

  /** [patches][hidden] of whole images. */
  private positionsFor({ height, width }: Pick<Pixels, "height" | "width">, interpolate: boolean): Float32Array {
    const { positions } = this.weights;
    return interpolate ? interpolatePositions(positions, this.config, height, width) : positions;
  }

  private writePositions(pass: Pass, rows: Float32Array): void {
    const { bytes } = packVector("positions", rows);
    pass.positions.host = new Float32Array(bytes.buffer as ArrayBuffer);
    this.backend.write(pass.positions.tensor, bytes);
  }

  private async passFor(size: PassSize, grid: Grid): Promise<Pass> {
    this.reserve(size);
    const same = (pass: Pass) =>
      pass.grid === grid && pass.size.batch === size.batch && pass.size.height === size.height && pass.size.width === size.width;
    const known = this.passes.find(same);
    if (known !== undefined) return known;
    const { backend, config, weights, buffers } = this;
    const rows = size.tokens * (grid === "kept" ? size.batch : 1);
    const packed = packVector("positions", grid === "kept" ? new Float32Array(rows * config.hiddenSize) : this.positionsFor(size, grid === "interpolated"));
    const tensor = place(backend, packed);
    const pass: Pass = {
      size,
      grid,
      positions: { host: new Float32Array(packed.bytes.buffer as ArrayBuffer), tensor },
      embedding: await backend.compile(embeddingCalls(config, size, weights.embedding, tensor, rows, buffers!)),
      layers: new Map(),
      final: await backend.compile(finalCalls(config, size, weights.final, buffers!)),
    };
    await Promise.all(weights.layers.slots.map((slot) => this.programOf(pass, slot)));
    this.passes.push(pass);
    if (this.passes.length > MAX_PASSES) this.backend.release(this.passes.shift()!.positions.tensor);
    return pass;
  }

  private async programOf({ size, layers }: Pass, slot: LayerWeights): Promise<Program> {
    const program = layers.get(slot) ?? (await this.backend.compile(layerCalls(this.config, this.dtype, size, slot, this.buffers!)));
    layers.set(slot, program);
    return program;
  }

  /** Makes the buffers hold `size`; smaller buffers are dropped, with the programs compiled on them. */
  private reserve(size: PassSize): void {
    const wanted = Object.entries(bufferDescs(this.config, this.dtype, size)).filter((entry): entry is [keyof Buffers, TensorDesc] => entry[1] !== undefined);
    const have = this.buffers;
    if (have !== undefined && wanted.every(([key, desc]) => have[key]!.bytes >= bytesOf(desc))) return;
    for (const pass of this.passes.splice(0)) this.backend.release(pass.positions.tensor);
    const larger = wanted.map(([key, desc]) => (have !== undefined && have[key]!.bytes > bytesOf(desc) ? { ...desc, dims: have[key]!.dims } : desc));
    if (have !== undefined) Object.values(have).forEach((tensor: DeviceTensor) => this.backend.release(tensor));
    this.buffers = Object.fromEntries(wanted.map(([key], i) => [key, this.backend.alloc(larger[i])])) as unknown as Buffers;
  }
}
