/** Recognises checkpoints quantized by other libraries in ways that are not supported, to name the method in the error. */
import { IJepaError } from "../core/errors.js";
import type { CheckpointTensor } from "./checkpoint-tensor.js";
import { isEncoderTensor } from "./tensor-names.js";

/** Names of the tensors beside a quantized weight, by library. Four-bit bitsandbytes is supported and not listed. */
const COMPANIONS: readonly (readonly [name: RegExp, method: string, kind: string])[] = [
  [/\.(SCB|weight_format|CB|weight\.SCB)$/, "bitsandbytes", "8-bit weights of bitsandbytes"],
  [/\.(qweight|qzeros|g_idx)$/, "gptq", "weights quantized by GPTQ or AWQ"],
  [/\.(W_q|W_q\.\w+)$/, "hqq", "weights quantized by HQQ"],
  [/\.(weight\._data|weight\._scale|weight\._shift|weight_qtype)$/, "quanto", "weights quantized by Quanto"],
  [/\.(weight_packed|weight_zero_point|weight_g_idx)$/, "compressed-tensors", "weights of compressed-tensors"],
  [/\.(weight_scale_inv|weight_scale|weight_scale_2|input_scale|activation_scale)$/, "float8", "8-bit weights, float8 or whole numbers, with scales beside them"],
];

/** Unsupported element types of weights, and their meaning. */
function kindOfDtype(dtype: string): string | undefined {
  if (dtype.startsWith("F8")) return `float8 weights (${dtype})`;
  if (dtype === "F4" || dtype.startsWith("F6_")) return `weights in a few bits (${dtype})`;
  return dtype === "I8" ? "8-bit weights (I8)" : undefined;
}

/**
 * @param config a config.json
 * @throws IJepaError `weights/dtype` if its quantization_config is of an unsupported kind
 */
export function checkQuantization(config: Record<string, unknown>, file: string): void {
  const quantization = config["quantization_config"] ?? undefined;
  if (quantization === undefined) return;
  const { quant_method: given, load_in_8bit: eight } = quantization as { quant_method?: unknown; load_in_8bit?: unknown };
  if (given === "bitsandbytes" && eight !== true) return;
  const method = typeof given === "string" ? given.slice(0, 60) : "unknown";
  throw refused(file, method === "bitsandbytes" ? "8-bit bitsandbytes weights" : `quantized (${method}) weights`, { tensor: file, dtype: method });
}

/**
 * @param tensors by canonical name
 * @param matrices the quantized matrices that are supported
 * @throws IJepaError `weights/dtype` if the encoder has weights that were quantized in another way, or remains of them
 */
export function refuseForeignTensors(tensors: ReadonlyMap<string, CheckpointTensor>, matrices: ReadonlyMap<string, unknown>, where: string): void {
  for (const [name, { dtype }] of tensors) {
    if (!isEncoderTensor(name) || matrices.has(name)) continue;
    const [, method, kind] = COMPANIONS.find(([pattern]) => pattern.test(name)) ?? [];
    if (method !== undefined) throw refused(where, `${kind} (it has ${JSON.stringify(name.slice(0, 100))})`, { tensor: name, dtype: method });
    const narrow = name.endsWith(".weight") ? kindOfDtype(dtype) : undefined;
    if (narrow !== undefined) throw refused(where, `${narrow}, such as ${JSON.stringify(name.slice(0, 100))}`, { tensor: name, dtype });
  }
}

function refused(where: string, kind: string, details: { tensor: string; dtype: string }): IJepaError<"weights/dtype"> {
  const message =
    `${where}: this checkpoint holds ${kind}, which this version does not load. ` +
    'Pass the original checkpoint in f32, f16 or bf16, and choose dtype "int8" or "int4" when loading it.';
  return new IJepaError("weights/dtype", message, details);
}
