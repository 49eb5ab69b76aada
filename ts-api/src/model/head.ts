/** A dense layer on top of the encoder: fp32, on the backend, for a few rows. */
import { bytesView, readFloats, type Backend } from "../backends/backend.js";
import { BLOCK, PANEL, roundUp } from "../core/numerics.js";
import type { Activation } from "../ops/activation.js";
import type { DeviceTensor, TensorDesc } from "../ops/contract.js";
import { packMatrix, packVector } from "../packing/pack.js";
import { place } from "../packing/upload.js";

export class Head {
  private readonly w: DeviceTensor;
  private readonly bias: DeviceTensor;
  private readonly inner: number;
  readonly outputs: number;

  /**
   * @param weight [outputs][inputs]
   * @param bias [outputs]
   */
  constructor(
    private readonly backend: Backend,
    readonly name: string,
    weight: Float32Array,
    bias: Float32Array,
    private readonly inputs: number,
    private readonly activation: Activation = "none",
  ) {
    this.inner = roundUp(inputs, BLOCK);
    this.outputs = bias.length;
    this.w = place(backend, packMatrix(name, "fp32", weight, bias.length, inputs).w);
    this.bias = place(backend, packVector(`${name}.bias`, bias, roundUp(bias.length, PANEL)));
  }

  /** x [rows][inputs] f32 to [rows][outputs]. */
  async apply(x: Float32Array, rows: number): Promise<Float32Array> {
    const { backend, inputs: cols, inner, outputs } = this;
    const temporary: DeviceTensor[] = [];
    const alloc = (buffer: string, width: number) => {
      const desc: TensorDesc = { name: `${this.name}.${buffer}`, type: "f32", dims: [rows, width] };
      temporary.push(backend.alloc(desc));
      return temporary.at(-1)!;
    };
    try {
      const input = alloc("x", cols), operand = alloc("operand", inner), y = alloc("y", outputs);
      backend.write(input, bytesView(x));
      const program = await backend.compile([
        { op: "quantize-rows", format: "fp32", rows, cols, inner, x: input, y: operand },
        { op: "linear", format: "fp32", rows, cols: outputs, inner, activation: this.activation, x: operand, w: this.w, bias: this.bias, y },
      ]);
      backend.run(program);
      return await readFloats(backend, y);
    } finally {
      temporary.forEach((tensor) => backend.release(tensor));
    }
  }
}
