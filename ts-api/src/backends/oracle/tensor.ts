/** Tensors of the oracle: bytes in memory, with a view for each element type. */
import { bytesOf, type DeviceTensor, type TensorDesc } from "../../ops/contract.js";

/** A tensor of the oracle, and every typed view of it. */
export class OracleTensor implements DeviceTensor {
  readonly name: string;
  readonly type: TensorDesc["type"];
  readonly dims: readonly number[];
  readonly bytes: number;
  readonly u8: Uint8Array;
  readonly i8: Int8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;

  constructor(desc: TensorDesc) {
    this.name = desc.name;
    this.type = desc.type;
    this.dims = desc.dims;
    this.bytes = bytesOf(desc);
    const buffer = new ArrayBuffer(Math.ceil(this.bytes / 4) * 4);
    this.u8 = new Uint8Array(buffer, 0, this.bytes);
    this.i8 = new Int8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f32 = new Float32Array(buffer);
  }
}

/** The oracle's views of a buffer of a call. */
export function views(tensor: DeviceTensor | undefined): OracleTensor {
  if (!(tensor instanceof OracleTensor)) throw new TypeError(`The tensor ${tensor?.name ?? "(none)"} does not belong to the oracle.`);
  return tensor;
}
