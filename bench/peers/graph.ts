/**
 * The encoder as an ONNX file, node by node as exporters write it, so that the peer's own fusions find what they look for.
 * fp32: MatMul. q4-level*: MatMulNBits on the very codes, scales and biases that our int4 has (blocks of 32, zero at 8).
 */
import { packParts, type TensorReader } from "../../ts-api/src/loading/pack-checkpoint.js";
import type { LinearWeights, PackedParts } from "../../ts-api/src/packing/encoder-weights.js";
import type { PackedBuffer } from "../../ts-api/src/packing/pack.js";
import type { IJepaConfig } from "../../ts-api/src/config/config.js";
import { BLOCK } from "../../ts-api/src/core/numerics.js";
import { blockedColumns } from "./int4.js";
import { OnnxGraph } from "./onnx.js";

/** Of MatMulNBits: 0 computes in f32, 4 may round activations to int8. */
export type AccuracyLevel = "0" | "4";
export type OnnxFormat = "fp32" | `q4-level${AccuracyLevel}`;

export const INPUT = "pixel_values";
export const OUTPUT = "last_hidden_state";

export async function encoderGraph(config: IJepaConfig, read: TensorReader, format: OnnxFormat): Promise<OnnxGraph> {
  const builder = new EncoderGraph(config, read, format);
  await builder.build();
  return builder.graph;
}

class EncoderGraph {
  readonly graph = new OnnxGraph();
  private readonly packed: PackedParts;

  constructor(
    private readonly config: IJepaConfig,
    private readonly read: TensorReader,
    private readonly format: OnnxFormat,
  ) {
    this.packed = packParts(config, "int4", read);
  }

  async build(): Promise<void> {
    const { graph, config } = this;
    const { hiddenSize: hidden, numAttentionHeads: heads, numPatches: tokens, headDim } = config;
    graph.input(INPUT, [1, config.numChannels, config.imageHeight, config.imageWidth]);
    graph.ints("to_heads", [1, tokens, heads, headDim]);
    graph.ints("to_tokens", [1, tokens, hidden]);
    graph.ints("to_patches", [1, hidden, tokens]);
    graph.scalar("scale", 1 / Math.sqrt(headDim));
    graph.scalar("sqrt2", Math.SQRT2);
    graph.scalar("one", 1);
    graph.scalar("half", 0.5);
    let x = await this.embedding();
    for (let i = 0; i < config.numHiddenLayers; i++) x = await this.layer(i, x);
    await this.norm("layernorm", x, OUTPUT);
    graph.output(OUTPUT, [1, tokens, hidden]);
  }

  private async embedding(): Promise<string> {
    const { graph, config } = this;
    const { hiddenSize: hidden, numChannels, patchHeight, patchWidth } = config;
    const name = "embeddings.patch_embeddings.projection", positions = "embeddings.position_embeddings";
    const kernel = [patchHeight, patchWidth];
    const weight = graph.floats(`${name}.weight`, await this.read(`${name}.weight`), [hidden, numChannels, ...kernel]);
    const bias = await this.vector(`${name}.bias`);
    const patches = graph.node("Conv", [INPUT, weight, bias], { kernel_shape: kernel, strides: kernel });
    const rows = graph.node("Transpose", [graph.node("Reshape", [patches, "to_patches"])], { perm: [0, 2, 1] });
    return graph.node("Add", [rows, graph.floats(positions, await this.read(positions), [1, config.numPatches, hidden])]);
  }

  private async layer(index: number, x: string): Promise<string> {
    const { graph, config } = this, name = `encoder.layer.${index}`;
    const { hiddenSize: hidden, intermediateSize: mlp } = config;
    const packed = this.format === "fp32" ? undefined : await this.packed.layer(index);
    const before = await this.norm(`${name}.layernorm_before`, x);
    const head = async (part: "query" | "key" | "value", perm: number[]) => {
      const first = ["query", "key", "value"].indexOf(part) * hidden;
      const projected = await this.dense(`${name}.attention.attention.${part}`, before, hidden, hidden, packed?.qkv, first, config.qkvBias);
      return graph.node("Transpose", [graph.node("Reshape", [projected, "to_heads"])], { perm });
    };
    const q = await head("query", [0, 2, 1, 3]), k = await head("key", [0, 2, 3, 1]), v = await head("value", [0, 2, 1, 3]);
    const scores = graph.node("Mul", [graph.node("MatMul", [q, k]), "scale"]);
    const mixed = graph.node("MatMul", [graph.node("Softmax", [scores], { axis: 3 }), v]);
    const joined = graph.node("Reshape", [graph.node("Transpose", [mixed], { perm: [0, 2, 1, 3] }), "to_tokens"]);
    const middle = graph.node("Add", [x, await this.dense(`${name}.attention.output.dense`, joined, hidden, hidden, packed?.projection)]);
    const after = await this.norm(`${name}.layernorm_after`, middle);
    const up = this.gelu(await this.dense(`${name}.intermediate.dense`, after, mlp, hidden, packed?.up));
    return graph.node("Add", [middle, await this.dense(`${name}.output.dense`, up, hidden, mlp, packed?.down)]);
  }

  /** x / 2 * (1 + erf(x / sqrt 2)). */
  private gelu(x: string): string {
    const { graph } = this;
    const erf = graph.node("Erf", [graph.node("Div", [x, "sqrt2"])]);
    return graph.node("Mul", [graph.node("Mul", [x, graph.node("Add", [erf, "one"])]), "half"]);
  }

  private async norm(name: string, x: string, output?: string): Promise<string> {
    const inputs = [x, await this.vector(`${name}.weight`), await this.vector(`${name}.bias`)];
    return this.graph.node("LayerNormalization", inputs, { axis: 2, epsilon: this.config.layerNormEps }, output);
  }

  /** @param packed in int4, where the format is; its columns from `first` on */
  private async dense(
    name: string, x: string, cols: number, inner: number, packed?: LinearWeights<PackedBuffer>, first = 0, bias = true,
  ): Promise<string> {
    if (packed !== undefined) return this.matMulNBits(name, x, packed, first, cols);
    const y = this.matMul(name, x, await this.read(`${name}.weight`), cols, inner);
    return bias ? this.graph.node("Add", [y, await this.vector(`${name}.bias`)]) : y;
  }

  private matMul(name: string, x: string, weight: Float32Array, cols: number, inner: number): string {
    const transposed = new Float32Array(weight.length);
    for (let c = 0; c < cols; c++) {
      for (let k = 0; k < inner; k++) transposed[k * cols + c] = weight[c * inner + k];
    }
    return this.graph.node("MatMul", [x, this.graph.floats(`${name}.weight`, transposed, [inner, cols])]);
  }

  private matMulNBits(name: string, x: string, packed: LinearWeights<PackedBuffer>, first: number, cols: number): string {
    const { inner } = packed, { codes, scales, bias } = blockedColumns(packed, first, cols);
    const b = this.graph.bytes(`${name}.codes`, codes, [cols, inner / BLOCK, BLOCK / 2]);
    const attributes = { K: inner, N: cols, bits: 4, block_size: BLOCK, accuracy_level: Number(this.format.at(-1)) };
    const y = this.graph.node("MatMulNBits", [x, b, this.graph.floats(`${name}.scales`, scales, [scales.length])], attributes);
    return this.graph.node("Add", [y, this.graph.floats(`${name}.bias`, bias, [cols])]);
  }

  private async vector(name: string): Promise<string> {
    const data = await this.read(name);
    return this.graph.floats(name, data, [data.length]);
  }
}
