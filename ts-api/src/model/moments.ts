/**
 * What enters the matrices of a model, measured: the bf16 model runs layer by layer over a few images (synthetic ones, or the user's).
 * The quantizer weighs its errors by it. The contract fixes every bit of the run, and sums here are f64 in order of the
 * rows, so that the moments of a checkpoint are the same everywhere.
 */
import { bytesView, readFloats, type Backend } from "../backends/backend.js";
import { openDevice, type Threads } from "../backends/open.js";
import { IJepaError } from "../core/errors.js";
import { bound } from "../core/float.js";
import type { DeviceTensor, TensorDesc } from "../ops/contract.js";
import type { OpCall } from "../ops/table.js";
import { packVector, type PackedBuffer } from "../weights/pack.js";
import type { InputWeights } from "../weights/quantize/int4.js";
import type { IJepaConfig } from "./config.js";
import type { Pixels } from "./encoder.js";
import { gatherRows, patchesSideBySide } from "./keep.js";
import { place } from "./place.js";
import { bufferDescs, embeddingCalls, layerCalls, passSize, type Buffers, type PassSize } from "./plan.js";
import { drawPatches, syntheticImages } from "./synthetic.js";
import { mapLayer, mapLinear, type PackedParts } from "./weights.js";

/** Patches of each synthetic image. */
const KEPT = 32;
/** Patches of given images, in all: it bounds memory. Where they are more, every image gives some, drawn by lot. */
const MAX_ROWS = 4096;

/** The four products of a layer. */
export const PRODUCTS = ["qkv", "projection", "up", "down"] as const;
export type Product = (typeof PRODUCTS)[number];

/** Of each input of a matrix, over all rows: [inputs padded to whole blocks]. */
export interface Moments {
  mean: Float32Array;
  variance: Float32Array;
}

export type LayerMoments = Record<Product, Moments>;

export interface MomentOptions {
  /** Images to look at, of the model's size and preprocessed; at least one. Default: synthetic ones. */
  images?: Pixels | undefined;
  /** Where they run; it changes no bit. Default: a CPU backend that is opened for it and gone afterwards. */
  backend?: Backend | undefined;
  /** Of that CPU backend. Default 1. */
  threads?: Threads | undefined;
}

/** The moments of one layer after the other. */
export class MomentSource {
  private readonly known: LayerMoments[] = [];
  private run: Run | undefined;

  /** @param parts of the model in bf16 */
  constructor(
    private readonly config: IJepaConfig,
    private readonly parts: PackedParts,
    private readonly options: MomentOptions = {},
  ) {}

  /** Runs the layers up to this one that have not run yet. */
  async layer(index: number): Promise<LayerMoments> {
    try {
      while (this.known.length <= index) {
        this.run ??= await Run.open(this.config, this.parts, this.options);
        this.known.push(await this.run.layer(this.known.length));
        if (this.known.length === this.parts.layers) this.close();
      }
      return this.known[index];
    } catch (error) {
      this.close();
      this.known.length = 0;
      throw error;
    }
  }

  private close(): void {
    this.run?.close();
    this.run = undefined;
  }
}

/** The residual stream of the images, on a backend. */
class Run {
  private constructor(
    private readonly backend: Backend,
    private readonly config: IJepaConfig,
    private readonly parts: PackedParts,
    private readonly size: PassSize,
    private readonly buffers: Buffers,
    private readonly isOwn: boolean,
  ) {}

  static async open(config: IJepaConfig, parts: PackedParts, options: MomentOptions): Promise<Run> {
    const { pixels, positions } = await inputsOf(config, parts, options.images);
    const backend = options.backend ?? (await openDevice("wasm", { threads: options.threads })).backend;
    try {
      const put = (buffer: PackedBuffer) => place(backend, buffer);
      const size = passSize(config, pixels.images, pixels.height, pixels.width);
      const descs = Object.entries(bufferDescs(config, "bf16", size)).filter((entry): entry is [keyof Buffers, TensorDesc] => entry[1] !== undefined);
      // Operands are read between programs, so that no buffer may be left out as scratch.
      const buffers = Object.fromEntries(descs.map(([key, desc]) => [key, backend.alloc({ ...desc, scratch: false })])) as unknown as Buffers;
      backend.write(buffers.pixels, bytesView(pixels.data));
      const rows = put(packVector("positions", positions)), { patches } = await parts.embedding();
      const embedding = { patches: mapLinear(patches, put) };
      backend.run(await backend.compile(embeddingCalls(config, size, embedding, rows, positions.length / config.hiddenSize, buffers)));
      await backend.read(buffers.hidden);
      mapLinear(embedding.patches, (tensor) => backend.release(tensor));
      backend.release(rows);
      return new Run(backend, config, parts, size, buffers, options.backend === undefined);
    } catch (error) {
      if (options.backend === undefined) backend.dispose();
      throw error;
    }
  }

  close(): void {
    if (this.isOwn) this.backend.dispose();
    else Object.values(this.buffers).forEach((tensor: DeviceTensor) => this.backend.release(tensor));
  }

  /** Runs the next layer, and looks at every operand on its way. */
  async layer(index: number): Promise<LayerMoments> {
    const { backend, buffers } = this, weights = mapLayer(await this.parts.layer(index), (buffer) => place(backend, buffer));
    const moments: Moments[] = [];
    let calls: OpCall[] = [];
    for (const call of layerCalls(this.config, "bf16", this.size, weights, buffers)) {
      calls.push(call);
      if (call.op !== "quantize-rows") continue;
      backend.run(await backend.compile(calls));
      calls = [];
      moments.push(momentsOf(await readFloats(backend, call.y), call.rows, call.inner));
    }
    backend.run(await backend.compile(calls));
    await backend.read(buffers.hidden);
    mapLayer(weights, (tensor) => backend.release(tensor));
    return Object.fromEntries(PRODUCTS.map((product, i) => [product, moments[i]])) as LayerMoments;
  }
}

/** Patches of the images side by side, and the positions of their rows. */
async function inputsOf(config: IJepaConfig, parts: PackedParts, given?: Pixels): Promise<{ pixels: Pixels; positions: Float32Array }> {
  const { numChannels: channels, imageHeight: height, imageWidth: width } = config;
  const whole = given ?? syntheticImages(config);
  const expected = `${channels}*${height}*${width} values of each image`, actual = [whole.data.length / whole.images, whole.height, whole.width];
  if (whole.images < 1 || actual[0] !== channels * height * width || whole.height !== height || whole.width !== width) {
    throw new IJepaError("input/shape", `Images to calibrate with must be ${expected}, not ${actual.join("*")}.`, { name: "images", expected, actual });
  }
  const patches = Math.floor(height / config.patchHeight) * Math.floor(width / config.patchWidth);
  const kept = given === undefined ? KEPT : Math.max(1, Math.floor(MAX_ROWS / given.images));
  const keep = drawPatches(patches, whole.images, Math.min(patches, kept));
  return { pixels: patchesSideBySide(config, whole, keep), positions: gatherRows(await parts.positions(), config.hiddenSize, keep) };
}

/** Of the columns of [rows][inner]. */
function momentsOf(x: Float32Array, rows: number, inner: number): Moments {
  const mean = new Float64Array(inner), variance = new Float64Array(inner);
  for (let r = 0; r < rows; r++) for (let k = 0; k < inner; k++) mean[k] += x[r * inner + k];
  for (let k = 0; k < inner; k++) mean[k] /= rows;
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < inner; k++) {
      const d = x[r * inner + k] - mean[k];
      variance[k] += d * d;
    }
  }
  return { mean: Float32Array.from(mean, bound), variance: Float32Array.from(variance, (sum) => bound(sum / rows)) };
}

/** What the mean counts beside the variance: real images have another mean than those looked at. */
const MEAN_WEIGHT = 1 / 8;
/** What every input counts at least, of their average: one that these images do not move may be moved by others. */
const FLOOR = 1 / 64;

/** What the quantizer makes of moments. */
export function inputWeights({ mean, variance }: Moments): InputWeights {
  let total = 0;
  for (const value of variance) total += value;
  const floor = (total / variance.length) * FLOOR;
  return { mean, importance: Float32Array.from(variance, (value, k) => bound(value + mean[k] * mean[k] * MEAN_WEIGHT + floor)) };
}
