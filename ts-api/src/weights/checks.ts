/** Checks the tensors of a checkpoint before a weight is read: names, shapes, dtypes. */
import type { IJepaConfig } from "../config/config.js";
import { IJepaError } from "../core/errors.js";
import { show } from "../core/show.js";
import { sizeOf } from "../core/tensor.js";
import type { QuantizedTensor } from "./bitsandbytes.js";
import type { CheckpointTensor } from "./checkpoint-tensor.js";
import { checkFloatDtype, firstNonFinite, isFloatDtype } from "./dtypes.js";
import { expectedTensors, isEncoderTensor, isOptionalTensor } from "./tensor-names.js";

/**
 * Checks that the encoder's tensors are all there, in a readable dtype and of the shapes that the configuration asks for. Others are
 * left unused, unless the encoder may need them: see `mayBeNeeded`.
 * @param shapes of every tensor that a model of this configuration can have
 * @throws IJepaError `weights/missing`, `weights/unexpected`, `weights/dtype`, `weights/shape`
 */
export function checkTensors(
  tensors: ReadonlyMap<string, CheckpointTensor>,
  matrices: ReadonlyMap<string, QuantizedTensor>,
  config: IJepaConfig,
  shapes: ReadonlyMap<string, readonly number[]>,
  where: string,
): void {
  const required = [...expectedTensors(config).keys()];
  const missing = required.filter((name) => !tensors.has(name));
  if (missing.length > 0) throw missingTensors(where, missing, prefixed(tensors.keys(), missing[0]));
  const unexpected = [...tensors].filter(([name, info]) => !shapes.has(name) && mayBeNeeded(name, info)).map(([name]) => name);
  if (unexpected.length > 0) {
    const message =
      `${where} has ${count(unexpected)} of an encoder that config.json does not describe: ${list(unexpected)}. ` +
      "Without them the model would compute something else. Is config.json the right one?";
    throw new IJepaError("weights/unexpected", message, { names: unexpected });
  }
  for (const name of required.filter((name) => !matrices.has(name))) checkTensor(name, tensors.get(name) as CheckpointTensor, shapes.get(name));
}

/**
 * Whether an unknown tensor may be a weight of the encoder under a wrong name, or show that the configuration is another model's: numbers
 * with dimensions, in one of the encoder's modules. Heads and other networks beside the encoder may be ignored. So may buffers of whole
 * numbers, scalars and empty markers, which cannot be weights.
 */
function mayBeNeeded(name: string, { dtype, shape }: CheckpointTensor): boolean {
  return isEncoderTensor(name) && !isOptionalTensor(name) && isFloatDtype(dtype) && shape.length > 0 && sizeOf(shape) > 0;
}

/** @throws IJepaError `weights/dtype`, `weights/shape` */
export function checkTensor(name: string, info: CheckpointTensor, expected: readonly number[] | undefined): void {
  checkFloatDtype(info.dtype, name);
  if (expected === undefined || expected.join() === info.shape.join()) return;
  const [actual, wanted] = [info.shape.join(", "), expected.join(", ")];
  const message = `Tensor ${name} in ${info.file} has the shape [${actual}], but the configuration asks for [${wanted}].`;
  throw new IJepaError("weights/shape", message, { tensor: name, expected, actual: info.shape });
}

/** @throws IJepaError `weights/value` */
export function checkFinite(name: string, data: Float32Array): void {
  const index = firstNonFinite(data);
  if (index < 0) return;
  const message =
    `Tensor ${name} holds ${data[index]} at index ${index}; weights must be finite. ` +
    "The checkpoint is damaged or its training diverged.";
  throw new IJepaError("weights/value", message, { tensor: name, index, value: data[index] });
}

export function missingTensors(where: string, names: readonly string[], why = "Is it an I-JEPA encoder, and are all of its files there?"): IJepaError<"weights/missing"> {
  const message = `${where} lacks ${count(names)}: ${list(names)}. ${why}`;
  return new IJepaError("weights/missing", message, { what: "tensor", names });
}

/** Says that a tensor is there with more before its name, as wrappers put it; undefined where it is not. */
export function prefixed(names: Iterable<string>, wanted: string): string | undefined {
  const longer = [...names].find((name) => name.endsWith(`.${wanted}`));
  return longer && `It has ${show(longer)}; rename its tensors: nothing must stand before ${wanted}.`;
}

function count(names: readonly string[]): string {
  return names.length === 1 ? "a tensor" : `${names.length} tensors`;
}

/** Names come from files: they are escaped, and at most a screenful is shown. */
function list(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => JSON.stringify(name.slice(0, 100)).slice(1, -1));
  return shown.join(", ") + (names.length > 20 ? `, and ${names.length - 20} more` : "");
}
