/** The type of a checkpoint's tensor. */
import type { TensorInfo } from "./safetensors/reader.js";

/** A tensor of a checkpoint, with the path or URL of the file that holds it. */
export interface CheckpointTensor extends TensorInfo {
  readonly file: string;
}
