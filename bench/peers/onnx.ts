/** A builder of ONNX files. Field numbers are those of onnx.proto. */
import { closeSync, openSync, writeSync } from "node:fs";
import { bytesView } from "../../ts-api/src/backends/backend.js";
import { Message } from "./protobuf.js";

const IR_VERSION = 8;
/** The first with LayerNormalization. */
const OPSET = 17;
const CONTRIB = "com.microsoft";

const ELEMENT = { float: 1, uint8: 2, int64: 7 } as const;
const FLOAT_ATTRIBUTE = 1, INT_ATTRIBUTE = 2, INTS_ATTRIBUTE = 7;

/** A whole number is written as an int; only epsilons are floats. */
type Attributes = Record<string, number | readonly number[]>;

export class OnnxGraph {
  private readonly graph = new Message().text(2, "ijepa");
  private count = 0;

  /** Adds a node with one output; returns the output's name. */
  node(op: string, inputs: readonly string[], attributes: Attributes = {}, output = `${op}_${this.count}`): string {
    const node = new Message();
    for (const input of inputs) node.text(1, input);
    node.text(2, output).text(3, `${op}_${this.count++}`).text(4, op);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    if (op === "MatMulNBits") node.text(7, CONTRIB);
    this.graph.message(1, node);
    return output;
  }

  floats(name: string, data: Float32Array, dims: readonly number[]): string {
    return this.initializer(name, "float", bytesView(data), dims);
  }

  bytes(name: string, data: Uint8Array, dims: readonly number[]): string {
    return this.initializer(name, "uint8", data, dims);
  }

  /** A list of int64. */
  ints(name: string, values: readonly number[]): string {
    return this.initializer(name, "int64", bytesView(BigInt64Array.from(values, BigInt)), [values.length]);
  }

  scalar(name: string, value: number): string {
    return this.floats(name, Float32Array.of(value), []);
  }

  input(name: string, dims: readonly number[]): string {
    this.graph.message(11, valueInfo(name, dims));
    return name;
  }

  output(name: string, dims: readonly number[]): void {
    this.graph.message(12, valueInfo(name, dims));
  }

  write(path: string): void {
    const model = new Message().int(1, IR_VERSION).text(2, "ijepa bench");
    model.message(8, new Message().text(1, "").int(2, OPSET)).message(8, new Message().text(1, CONTRIB).int(2, 1));
    model.message(7, this.graph);
    const file = openSync(path, "wx");
    for (const part of model.parts) writeSync(file, part);
    closeSync(file);
  }

  private initializer(name: string, type: keyof typeof ELEMENT, data: Uint8Array, dims: readonly number[]): string {
    const tensor = new Message();
    for (const dim of dims) tensor.int(1, dim);
    this.graph.message(5, tensor.int(2, ELEMENT[type]).text(8, name).bytes(9, data));
    return name;
  }
}

function attribute(name: string, value: number | readonly number[]): Message {
  const message = new Message().text(1, name);
  if (typeof value !== "number") {
    for (const item of value) message.int(8, item);
    return message.int(20, INTS_ATTRIBUTE);
  }
  return Number.isInteger(value) ? message.int(3, value).int(20, INT_ATTRIBUTE) : message.float(2, value).int(20, FLOAT_ATTRIBUTE);
}

function valueInfo(name: string, dims: readonly number[]): Message {
  const shape = new Message();
  for (const dim of dims) shape.message(1, new Message().int(1, dim));
  const tensor = new Message().int(1, ELEMENT.float).message(2, shape);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
