/** The tensor that users get: typed array and shape in, `dims`, `data` and methods out. */
import { IJepaError } from "./errors.js";
import { checkList } from "./options.js";
import { show } from "./show.js";

/** Element types of a `Tensor`, with the array that holds them. */
export interface TensorArrays {
  float32: Float32Array;
  int32: Int32Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

/** Type of a tensor's elements. */
export type TensorType = keyof TensorArrays;

const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array };

/** Number of elements of a shape; 1 for the empty shape. */
export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** A dense, row-major array with a shape, in the names of transformers.js. */
export class Tensor<T extends TensorType = TensorType> {
  /** Element type. */
  readonly type: T;
  /** The elements, row-major. */
  readonly data: TensorArrays[T];
  /** The shape. */
  readonly dims: readonly number[];

  /**
   * @param type element type
   * @param data the elements, row-major; kept, not copied
   * @param dims the shape; its product is `data.length`
   * @throws IJepaError `input/shape` when the two lengths differ
   */
  constructor(type: T, data: TensorArrays[T], dims: readonly number[]) {
    const arrayType = Object.hasOwn(ARRAYS, type) ? ARRAYS[type] : undefined;
    if (arrayType === undefined) throw new TypeError(`Tensor type must be one of ${Object.keys(ARRAYS).join(", ")}, not ${show(type)}.`);
    if (!(data instanceof arrayType)) throw new TypeError(`A ${type} tensor needs a ${arrayType.name}, not ${show(data)}.`);
    checkList("Tensor dims", dims, "a list of whole numbers");
    for (const dim of dims) {
      if (!Number.isInteger(dim) || dim < 0) throw new TypeError(`Tensor dims must be whole numbers from 0 up, not ${show(dims)}.`);
    }
    if (sizeOf(dims) !== data.length) {
      throw new IJepaError("input/shape", `A tensor of shape [${dims.join(", ")}] has ${sizeOf(dims)} elements, but the data has ${data.length}.`, {
        name: "data",
        expected: `${sizeOf(dims)} elements`,
        actual: [data.length],
      });
    }
    this.type = type;
    this.data = data;
    this.dims = [...dims];
  }

  /** Number of elements: the product of `dims`. */
  get size(): number {
    return this.data.length;
  }

  /** For JSON: the element type, the shape, the elements as an array, and other properties such as `numerics`. */
  toJSON(): object {
    return { ...this, data: Array.from(this.data) };
  }

  /** Nested arrays of numbers, as the Python `tolist`. */
  tolist(): unknown {
    const nest = (axis: number, offset: number): unknown => {
      if (axis === this.dims.length) return this.data[offset];
      const stride = sizeOf(this.dims.slice(axis + 1));
      return Array.from({ length: this.dims[axis] }, (_, i) => nest(axis + 1, offset + i * stride));
    };
    return nest(0, 0);
  }
}

/** The error for an array of another shape than `expected` says. */
export function shapeError(name: string, expected: string, actual: readonly number[]): IJepaError<"input/shape"> {
  return new IJepaError("input/shape", `${name} must be ${expected}, not [${actual.join(", ")}].`, { name, expected, actual });
}

/**
 * Checks that `value` is a `Tensor` of one of the element types.
 *
 * @param types accepted element types
 * @throws TypeError
 */
export function checkTensor<T extends TensorType>(name: string, value: unknown, ...types: readonly T[]): asserts value is Tensor<T> {
  const given = value instanceof Tensor ? (value as Tensor) : undefined;
  if (given !== undefined && types.includes(given.type as T)) return;
  const wanted = types.length === 1 ? types[0] : `${types.slice(0, -1).join(", ")} or ${types.at(-1)}`;
  const actual = given === undefined ? show(value) : `${given.type === "int32" ? "an" : "a"} ${given.type} Tensor`;
  throw new TypeError(`${name} must be a ${wanted} Tensor, not ${actual}.`);
}
