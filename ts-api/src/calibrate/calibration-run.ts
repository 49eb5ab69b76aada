/**
 * Runs the bf16 model layer by layer over some images, and shows the inputs of each matrix to a callback. Memory holds one layer's
 * matrices on the backend, the next matrix on its way there, and the activations between two matrices for every image.
 */
import { bytesView, readFloats, type Backend, type Program } from "../backends/backend.js";
import { openDevice, type CpuOptions } from "../backends/open.js";
import { BLOCK, PANEL, roundUp } from "../core/numerics.js";
import type { DeviceTensor, TensorDesc } from "../ops/contract.js";
import type { CallOf, OpCall } from "../ops/table.js";
import { packVector, type PackedBuffer } from "../packing/pack.js";
import type { IJepaConfig } from "../config/config.js";
import type { Pixels } from "../encoder/pixels.js";
import { PRODUCTS, type Product } from "../packing/matrix-reader.js";
import { patchImages, type ImageList } from "./calibration-images.js";
import { place } from "../packing/upload.js";
import { bufferDescs, embeddingCalls, layerCalls, passSize, type Buffers, type PassSize } from "../encoder/plan.js";
import {
  buffersOfLinear, buffersOfNorm, mapLayer, mapLinear, type EmbeddingWeights, type LayerWeights, type LinearWeights, type NormWeights,
} from "../packing/encoder-weights.js";

/** A model in bf16, one matrix at a time. Each matrix is used before the next is requested. */
export interface WideParts {
  readonly layers: number;
  embedding(): Promise<EmbeddingWeights<PackedBuffer>>;
  /** [patches][hidden] f32. */
  positions(): Promise<Float32Array>;
  norms(layer: number): Promise<Pick<LayerWeights<PackedBuffer>, "before" | "after">>;
  matrix(layer: number, product: Product): Promise<LinearWeights<PackedBuffer>>;
}

/** @param operands [rows][inner] of all images together, in order */
export type Look = (product: Product, operands: readonly Float32Array[], inner: number) => Promise<void>;

export interface RunOptions extends Pick<CpuOptions, "threads" | "revectorize"> {
  images?: Pixels | ImageList | undefined;
  backend?: Backend | undefined;
}

/** Rows that are computed at a time. */
const ROWS_AT_ONCE = 256;

/** The tensors that the program of each product reads, besides its weights. */
const READ: Record<Product, readonly ("hidden" | "middle" | "operand" | "mlpOperand")[]> = {
  qkv: ["operand", "hidden"],
  projection: ["operand", "hidden"],
  up: ["operand", "middle"],
  down: ["mlpOperand", "middle"],
};

/** The state of some of the images between two programs: tensors by name. */
type State = Partial<Record<keyof Buffers, Float32Array>>;

export class CalibrationRun {
  private constructor(
    private readonly backend: Backend,
    private readonly parts: WideParts,
    private readonly buffers: Buffers,
    private readonly weights: LayerWeights,
    /** The programs of a layer: up to the operand of the first product, from there to each next one, and to the end. */
    private readonly programs: readonly Program[],
    private readonly states: State[],
    /** Rows of all states together; the last state may be padded. */
    private readonly rows: number,
    private readonly rowsOfState: number,
    private readonly isOwn: boolean,
  ) {}

  /** Opens a backend if none is given, and embeds the images. */
  static async open(config: IJepaConfig, parts: WideParts, options: RunOptions): Promise<CalibrationRun> {
    const { pixels, positions } = await patchImages(config, await parts.positions(), options.images);
    const backend = options.backend ?? (await openDevice("wasm", { threads: options.threads, revectorize: options.revectorize, dtype: "bf16" })).backend;
    try {
      const { tokens } = passSize(config, 1, pixels.height, pixels.width);
      const size = passSize(config, Math.min(pixels.images, Math.max(1, Math.floor(ROWS_AT_ONCE / tokens))), pixels.height, pixels.width);
      const descs = Object.entries(bufferDescs(config, "bf16", size)).filter((entry): entry is [keyof Buffers, TensorDesc] => entry[1] !== undefined);
      // Operands are read between programs, so no buffer may be skipped as scratch.
      const buffers = Object.fromEntries(descs.map(([key, desc]) => [key, backend.alloc({ ...desc, scratch: false })])) as unknown as Buffers;
      const states = await embed(backend, config, parts, size, buffers, pixels, positions);
      const weights = mapLayer(layerDescs(config), (desc) => backend.alloc(desc));
      const programs = await Promise.all(programsOf(layerCalls(config, "bf16", size, weights, buffers)).map((calls) => backend.compile(calls)));
      const rowsOfState = size.batch * tokens;
      return new CalibrationRun(backend, parts, buffers, weights, programs, states, pixels.images * tokens, rowsOfState, options.backend === undefined);
    } catch (error) {
      if (options.backend === undefined) backend.dispose();
      throw error;
    }
  }

  /** Releases the tensors, and the backend if it was opened here. */
  close(): void {
    if (this.isOwn) return this.backend.dispose();
    Object.values(this.buffers).forEach((tensor: DeviceTensor) => this.backend.release(tensor));
    mapLayer(this.weights, (tensor) => this.backend.release(tensor));
  }

  /** Runs the next layer. For every product, `look` is called with its operand before its matrix is requested. */
  async layer(index: number, look: Look): Promise<void> {
    const { before, after } = await this.parts.norms(index);
    for (const [norm, from] of [[this.weights.before, before], [this.weights.after, after]] as const) this.write(buffersOfNorm(norm), buffersOfNorm(from));
    await this.step(0, ["hidden"], READ.qkv);
    for (const [i, product] of PRODUCTS.entries()) {
      const operand = READ[product][0], inner = this.weights[product].inner;
      await look(product, this.states.map((state, s) => state[operand]!.subarray(0, this.rowsIn(s) * inner)), inner);
      if (index === this.parts.layers - 1 && product === "down") return;
      this.write(buffersOfLinear(this.weights[product]), buffersOfLinear(await this.parts.matrix(index, product)));
      await this.step(i + 1, READ[product], i + 1 < PRODUCTS.length ? READ[PRODUCTS[i + 1]] : ["hidden"]);
    }
  }

  private rowsIn(state: number): number {
    return Math.min(this.rowsOfState, this.rows - state * this.rowsOfState);
  }

  private write(tensors: readonly DeviceTensor[], buffers: readonly PackedBuffer[]): void {
    tensors.forEach((tensor, i) => this.backend.write(tensor, buffers[i].bytes));
  }

  /** Runs a program on every state: its input tensors are replaced by those that the next program reads. */
  private async step(program: number, from: readonly (keyof Buffers)[], to: readonly (keyof Buffers)[]): Promise<void> {
    const { backend, buffers, states } = this;
    for (const [i, state] of states.entries()) {
      for (const key of from) backend.write(buffers[key]!, bytesView(state[key]!));
      backend.run(this.programs[program]);
      states[i] = {};
      for (const key of to) states[i][key] = await readFloats(backend, buffers[key]!);
    }
  }
}

/** Splits the images into states, and embeds each. */
async function embed(
  backend: Backend, config: IJepaConfig, parts: WideParts, size: PassSize, buffers: Buffers, pixels: Pixels, positions: Float32Array,
): Promise<State[]> {
  const { patches } = await parts.embedding(), embedding = { patches: mapLinear(patches, (buffer) => place(backend, buffer)) };
  const rows = size.batch * size.tokens, perState = rows * config.hiddenSize, pixelsPerState = (pixels.data.length / pixels.images) * size.batch;
  const rowTensor = place(backend, packVector("positions", new Float32Array(perState)));
  const program = await backend.compile(embeddingCalls(config, size, embedding, rowTensor, rows, buffers));
  const states: State[] = [];
  for (let i = 0; i * size.batch < pixels.images; i++) {
    // The last state may have fewer images; it is padded with zeros.
    backend.write(buffers.pixels, bytesView(pieceOf(pixels.data, i, pixelsPerState)));
    backend.write(rowTensor, packVector("positions", pieceOf(positions, i, perState)).bytes);
    backend.run(program);
    states.push({ hidden: await readFloats(backend, buffers.hidden) });
  }
  mapLinear(embedding.patches, (tensor) => backend.release(tensor));
  backend.release(rowTensor);
  return states;
}

/** Piece `index` of `length` values, with zeros after the end. */
function pieceOf(data: Float32Array, index: number, length: number): Float32Array {
  const piece = data.subarray(index * length, (index + 1) * length);
  if (piece.length === length) return piece;
  const padded = new Float32Array(length);
  padded.set(piece);
  return padded;
}

/** Splits the calls after each operand. */
function programsOf(calls: readonly OpCall[]): OpCall[][] {
  const isOperand = (call: OpCall): call is CallOf<"quantize-rows"> => call.op === "quantize-rows";
  const programs: OpCall[][] = [[]];
  for (const call of calls) {
    programs.at(-1)!.push(call);
    if (isOperand(call)) programs.push([]);
  }
  return programs;
}

/** A layer in bf16. */
function layerDescs({ hiddenSize: hidden, intermediateSize: mlp }: IJepaConfig): LayerWeights<TensorDesc> {
  const vector = (name: string, length: number): TensorDesc => ({ name, type: "f32", dims: [length] });
  const norm = (name: string): NormWeights<TensorDesc> => ({ gamma: vector(`${name}.weight`, hidden), beta: vector(`${name}.bias`, hidden) });
  const matrix = (name: string, cols: number, inputs: number): LinearWeights<TensorDesc> => {
    const inner = roundUp(inputs, BLOCK), padded = roundUp(cols, PANEL);
    const w: TensorDesc = { name: `${name}.weight`, type: "bf16", dims: [padded / PANEL, inner, PANEL] };
    return { format: "bf16", cols, inner, w, bias: vector(`${name}.bias`, padded) };
  };
  return {
    before: norm("before"),
    qkv: matrix("qkv", 3 * hidden, hidden),
    projection: matrix("projection", hidden, hidden),
    after: norm("after"),
    up: matrix("up", mlp, hidden),
    down: matrix("down", hidden, mlp),
  };
}
