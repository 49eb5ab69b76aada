/** The golden models: their files, their tensors, and encoders made of them. */
import type { Backend } from "../../ts-api/src/backends/backend.js";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { Tensor } from "../../ts-api/src/core/tensor.js";
import type { IJepaConfig } from "../../ts-api/src/config/config.js";
import { Encoder, type EncodeOptions, type EncodeResult } from "../../ts-api/src/encoder/encoder.js";
import type { Pixels } from "../../ts-api/src/encoder/pixels.js";
import { checkHeadMask } from "../../ts-api/src/model/inputs.js";
import { loadEncoder } from "../../ts-api/src/encoder/place-weights.js";
import { packParts, type CodeReader, type TensorReader } from "../../ts-api/src/loading/pack-checkpoint.js";
import { openCheckpoint } from "../../ts-api/src/weights/checkpoint.js";
import { toFloat32 } from "../../ts-api/src/weights/dtypes.js";
import { openSafetensors } from "../../ts-api/src/weights/safetensors/reader.js";
import { runtime } from "#runtime";

export const MODELS = "tests/goldens/models";
export const BITSANDBYTES = "tests/goldens/bitsandbytes";
export const DEMO_MODEL = "models/demo";

export interface Golden {
  dims: readonly number[];
  data: Float32Array;
}

/** The tensors of a safetensors file, as f32; I32 ones too, whose values are small. */
export async function readTensors(path: string): Promise<Map<string, Golden>> {
  const file = await openSafetensors(await runtime.openFile(path));
  const tensors = new Map<string, Golden>();
  for (const info of file.tensors.values()) {
    const bytes = await file.readTensor(info);
    const data = info.dtype === "I32" ? Float32Array.from(new Int32Array(bytes.slice().buffer)) : toFloat32(bytes, info.dtype);
    tensors.set(info.name, { dims: info.shape, data });
  }
  await file.close();
  return tensors;
}

/** An encoder of a model folder on a backend that the test opened. */
export async function loadOn(backend: Backend, folder: string, dtype: Dtype): Promise<{ config: IJepaConfig; encoder: Encoder }> {
  const checkpoint = await openCheckpoint(folder);
  const encoder = await encoderOn(backend, checkpoint.config, dtype, (name) => checkpoint.tensor(name), (name) => checkpoint.codes(name));
  await checkpoint.close();
  return { config: checkpoint.config, encoder };
}

export async function encoderOn(backend: Backend, config: IJepaConfig, dtype: Dtype, read: TensorReader, readCodes?: CodeReader): Promise<Encoder> {
  return new Encoder(backend, config, dtype, await loadEncoder(backend, packParts(config, dtype, read, readCodes)), async () => {});
}

export async function encodeOn(backend: Backend, folder: string, dtype: Dtype, pixels: Golden, options: EncodeOptions = {}): Promise<EncodeResult> {
  const { encoder } = await loadOn(backend, folder, dtype);
  return encoder.encode(pixelsOf(pixels), options);
}

/** A golden's [images][channels][height][width]. */
export function pixelsOf({ data, dims }: Golden): Pixels {
  const [images, , height, width] = dims;
  return { data, images, height, width };
}

/** The arguments of a golden's call, and everything asked for that the golden has. */
export async function goldenOptions(folder: string, file: string, golden: Map<string, Golden>): Promise<EncodeOptions> {
  const options: EncodeOptions = {
    outputHiddenStates: true,
    outputAttentions: golden.has("f64.attentions.0"),
    interpolatePosEncoding: file.startsWith("interpolate"),
  };
  const mask = golden.get("in.bool_masked_pos"), headMask = golden.get("in.head_mask");
  if (mask !== undefined) {
    options.mask = Uint8Array.from(mask.data);
    options.maskToken = (await readTensors(`${MODELS}/${folder}/model.safetensors`)).get("embeddings.mask_token")!.data;
  }
  if (headMask !== undefined) {
    const checkpoint = await openCheckpoint(`${MODELS}/${folder}`);
    await checkpoint.close();
    options.headMask = checkHeadMask(new Tensor("float32", headMask.data, headMask.dims), checkpoint.config);
  }
  return options;
}

/** Norm of the difference over the norm of the truth. */
export function relativeError(actual: Float32Array, truth: Float32Array): number {
  if (actual.length !== truth.length) throw new Error(`${actual.length} values against ${truth.length}`);
  let difference = 0, norm = 0;
  for (let i = 0; i < truth.length; i++) {
    difference += (actual[i] - truth[i]) ** 2;
    norm += truth[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** Mean over the rows of the cosine between two [rows, width] arrays. */
export function meanCosine(a: Float32Array, b: Float32Array, width: number): number {
  let sum = 0;
  for (let row = 0; row < a.length; row += width) {
    let dot = 0, aa = 0, bb = 0;
    for (let i = row; i < row + width; i++) {
      dot += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
    }
    sum += dot / Math.sqrt(aa * bb);
  }
  return sum / (a.length / width);
}
