/**
 * Measures the inputs of a model's matrices: the bf16 model runs layer by layer over a few images (synthetic ones, or the user's). The
 * quantizer weights its errors by the result. The contract fixes every bit of the run, and sums here are f64 in order of the rows, so the
 * moments of a checkpoint are the same everywhere.
 */
import type { Backend } from "../backends/backend.js";
import type { CpuOptions } from "../backends/open.js";
import { bound } from "../core/float.js";
import type { InputMoments } from "../quantize/balance.js";
import type { InputWeights } from "../quantize/candidates.js";
import type { CalibrationRun, WideParts } from "./calibration-run.js";
import type { IJepaConfig } from "../config/config.js";
import type { Pixels } from "../encoder/pixels.js";
import { PRODUCTS, type Product } from "../packing/matrix-reader.js";
import type { ImageList } from "./calibration-images.js";

/** Moments of each input of a matrix, over all rows: [inputs padded to whole blocks]. */
export type Moments = InputMoments;

export type LayerMoments = Record<Product, Moments>;

export interface MomentOptions extends Pick<CpuOptions, "threads" | "revectorize"> {
  /** Images to measure with, of the model's size and preprocessed; at least one. Default: synthetic ones. */
  images?: Pixels | ImageList | undefined;
  /**
   * The backend of the run; it changes no bit. Default: a CPU backend with `threads` and `revectorize`, opened for the run and closed
   * afterwards.
   */
  backend?: Backend | undefined;
}

/** The moments of one layer after the other. */
export class MomentSource {
  private readonly known: LayerMoments[] = [];
  private run: CalibrationRun | undefined;

  constructor(
    private readonly config: IJepaConfig,
    private readonly parts: WideParts,
    private readonly options: MomentOptions = {},
  ) {}

  /**
   * Runs all layers up to this one that have not run yet.
   * @param each called for every product of the layer in order, before the run reads its matrix
   */
  async layer(index: number, each: (product: Product, moments: Moments) => Promise<void> = async () => {}): Promise<LayerMoments> {
    try {
      while (this.known.length < index) await this.next();
      if (this.known.length === index) return await this.next(each);
    } catch (error) {
      this.close();
      this.known.length = 0;
      throw error;
    }
    for (const product of PRODUCTS) await each(product, this.known[index][product]);
    return this.known[index];
  }

  private async next(each?: (product: Product, moments: Moments) => Promise<void>): Promise<LayerMoments> {
    const index = this.known.length, layer: Partial<LayerMoments> = {};
    this.run ??= await (await import("./calibration-run.js")).CalibrationRun.open(this.config, this.parts, this.options);
    await this.run.layer(index, async (product, operands, inner) => {
      const moments = (layer[product] = momentsOf(operands, inner));
      await each?.(product, moments);
    });
    this.known.push(layer as LayerMoments);
    if (this.known.length === this.parts.layers) this.close();
    return layer as LayerMoments;
  }

  private close(): void {
    this.run?.close();
    this.run = undefined;
  }
}

/** Moments of the columns of [rows][inner], whose rows arrive in pieces. */
function momentsOf(pieces: readonly Float32Array[], inner: number): Moments {
  const rows = pieces.reduce((sum, { length }) => sum + length, 0) / inner;
  const mean = new Float64Array(inner), variance = new Float64Array(inner);
  for (const x of pieces) for (let row = 0; row < x.length; row += inner) for (let k = 0; k < inner; k++) mean[k] += x[row + k];
  for (let k = 0; k < inner; k++) mean[k] /= rows;
  for (const x of pieces) {
    for (let row = 0; row < x.length; row += inner) {
      for (let k = 0; k < inner; k++) {
        const d = x[row + k] - mean[k];
        variance[k] += d * d;
      }
    }
  }
  return { mean: Float32Array.from(mean, bound), variance: Float32Array.from(variance, (sum) => bound(sum / rows)) };
}

/** Weight of the squared mean beside the variance: real images have other means than the measured ones. */
const MEAN_WEIGHT = 1 / 8;
/** Least weight of an input, as a share of the average: an input that these images do not move may be moved by others. */
const FLOOR = 1 / 64;

/** The weights and means that the quantizer uses. */
export function inputWeights({ mean, variance }: Moments): InputWeights {
  let total = 0;
  for (const value of variance) total += value;
  const floor = (total / variance.length) * FLOOR;
  return { mean, importance: Float32Array.from(variance, (value, k) => bound(value + mean[k] * mean[k] * MEAN_WEIGHT + floor)) };
}
