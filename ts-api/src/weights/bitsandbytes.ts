/**
 * Matrices of a four-bit bitsandbytes checkpoint, as transformers saves them (bitsandbytes, `QuantState.as_dict(packed=True)`). A linear
 * layer X has `X.weight`, two codes a byte in any storage type, and beside it `X.weight.absmax`, `.quant_map`, with double quantization
 * `.nested_absmax` and `.nested_quant_map`, and `.quant_state.bitsandbytes__nf4` (or `__fp4`): the sizes, as JSON.
 */
import { CODEBOOKS, isCodebook, type CodebookName } from "../core/codebooks.js";
import { IJepaError } from "../core/errors.js";
import { show } from "../core/show.js";
import { sizeOf } from "../core/tensor.js";
import type { CheckpointTensor } from "./checkpoint-tensor.js";
import { firstNonFinite, toFloat32 } from "./dtypes.js";
import { decodeScales, type CodedMatrix } from "../quantize/bitsandbytes.js";

const STATE = /^(.+)\.quant_state\.bitsandbytes__(\w+)$/;
const COMPANIONS = ["absmax", "quant_map", "nested_absmax", "nested_quant_map"] as const;
type Companion = (typeof COMPANIONS)[number];

/** The tensors of one matrix. */
export interface QuantizedTensor {
  codebook: CodebookName;
  weight: CheckpointTensor;
  state: CheckpointTensor;
  companions: Partial<Record<Companion, CheckpointTensor>>;
}

/** Bytes of a tensor. */
type BytesReader = (tensor: CheckpointTensor) => Promise<Uint8Array>;

/**
 * Finds the quantized matrices by their quant_state, and removes their companions, but not their weights, from `tensors`.
 * @returns by the name of the weight
 * @throws IJepaError `weights/missing` when a part is absent, `weights/dtype` for another type than nf4 and fp4
 */
export function takeQuantized(tensors: Map<string, CheckpointTensor>): Map<string, QuantizedTensor> {
  const matrices = new Map<string, QuantizedTensor>();
  for (const [key, state] of [...tensors]) {
    const [, name, codebook] = STATE.exec(key) ?? [];
    if (name === undefined) continue;
    if (!isCodebook(codebook)) throw unknownType(name, codebook);
    const weight = tensors.get(name), companions: QuantizedTensor["companions"] = {};
    tensors.delete(key);
    for (const companion of COMPANIONS) {
      const tensor = tensors.get(`${name}.${companion}`);
      if (tensor !== undefined) companions[companion] = tensor;
      tensors.delete(`${name}.${companion}`);
    }
    if (weight === undefined) throw missing(name, state.file);
    const nested = companions.nested_absmax !== undefined || companions.nested_quant_map !== undefined;
    const absent = COMPANIONS.find((part) => companions[part] === undefined && (nested || !part.startsWith("nested")));
    if (absent !== undefined) throw missing(`${name}.${absent}`, state.file);
    matrices.set(name, { codebook, weight, state, companions });
  }
  const orphan = [...tensors.values()].find(({ name }) => COMPANIONS.some((part) => name.endsWith(`.weight.${part}`)));
  if (orphan !== undefined) throw missing(`${orphan.name.slice(0, orphan.name.lastIndexOf("."))}.quant_state.bitsandbytes__nf4`, orphan.file);
  return matrices;
}

/**
 * The codes of a matrix, with its scales decoded.
 * @param shape what the configuration asks for
 * @throws IJepaError `weights/format` when the parts contradict each other, `weights/shape`, `weights/dtype`, `weights/value`
 */
export async function readCodes(
  name: string, { codebook, weight, state, companions }: QuantizedTensor, shape: readonly number[], read: BytesReader,
): Promise<CodedMatrix> {
  const fail = (problem: string, cause?: unknown): never => {
    throw new IJepaError("weights/format", `Tensor ${name} in ${weight.file}: ${problem}.`, { file: weight.file, offset: weight.begin }, { cause });
  };
  const header = parseState(await read(state), fail), { blocksize, nestedBlocksize, offset } = header;
  if (header.type !== codebook) fail(`its quant_state is called ${codebook}, but has ${header.type === undefined ? "no quant_type" : `quant_type ${show(header.type)}`}`);
  if (header.shape.join() !== shape.join()) {
    const message = `Tensor ${name} in ${weight.file} has the shape [${header.shape.join(", ")}], but config.json asks for [${shape.join(", ")}].`;
    throw new IJepaError("weights/shape", message, { tensor: name, expected: shape, actual: header.shape });
  }
  const floats = async (part: Companion, length: number): Promise<Float32Array> => {
    const tensor = companions[part]!, data = toFloat32(await read(tensor), tensor.dtype, `${name}.${part}`);
    if (data.length !== length) fail(`${part} has ${data.length} values; ${length} are needed`);
    const at = firstNonFinite(data);
    if (at >= 0) throw new IJepaError("weights/value", `Tensor ${name}.${part} holds ${data[at]} at index ${at}; weights must be finite.`, { tensor: `${name}.${part}`, index: at, value: data[at] });
    return data;
  };
  const count = sizeOf(shape), blocks = Math.ceil(count / blocksize);
  const map = await floats("quant_map", 16);
  if (map.some((value, i) => value !== CODEBOOKS[codebook][i])) fail(`its quant_map is not that of ${codebook}`);
  const codes = await read(weight), bytes = Math.ceil(count / 2);
  if (codes.length !== bytes) fail(`it has ${codes.length} bytes of codes; ${bytes} are needed for [${shape.join(", ")}]`);
  if (companions.nested_absmax === undefined) return { codebook, count, codes, blocksize, absmax: await floats("absmax", blocks) };

  if (offset === undefined || nestedBlocksize === undefined) return fail("its quant_state has no nested_offset or nested_blocksize");
  const indices = await read(companions.absmax!);
  if (companions.absmax!.dtype !== "U8" || indices.length !== blocks) fail(`absmax has ${indices.length} bytes of ${companions.absmax!.dtype}; ${blocks} of U8 are needed`);
  const nested = {
    codes: indices,
    map: await floats("nested_quant_map", 256),
    blocksize: nestedBlocksize,
    absmax: await floats("nested_absmax", Math.ceil(blocks / nestedBlocksize)),
    offset: Math.fround(offset),
  };
  return { codebook, count, codes, blocksize, absmax: decodeScales(nested) };
}

interface State {
  type: unknown;
  blocksize: number;
  shape: number[];
  nestedBlocksize: number | undefined;
  offset: number | undefined;
}

function parseState(bytes: Uint8Array, fail: (problem: string, cause?: unknown) => never): State {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    return fail("its quant_state is not JSON", cause);
  }
  const { quant_type: type, blocksize, shape, nested_blocksize: nestedBlocksize, nested_offset: offset } = (json ?? {}) as Record<string, unknown>;
  if (!isCount(blocksize) || blocksize % 2 !== 0) return fail(`its blocksize is ${show(blocksize)}; it must be an even whole number`);
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail(`its shape is ${show(shape)}; it must be a list of whole numbers`);
  if (nestedBlocksize !== undefined && !isCount(nestedBlocksize)) return fail(`its nested_blocksize is ${show(nestedBlocksize)}; it must be a whole number`);
  if (offset !== undefined && !Number.isFinite(offset)) return fail(`its nested_offset is ${show(offset)}; it must be a finite number`);
  return { type, blocksize, shape, nestedBlocksize, offset: offset as number | undefined };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function unknownType(name: string, type: string): IJepaError<"weights/dtype"> {
  const message = `Tensor ${name} is quantized by bitsandbytes as ${show(type)}; nf4 and fp4 can be read. Pass the original checkpoint.`;
  return new IJepaError("weights/dtype", message, { tensor: name, dtype: type });
}

function missing(name: string, file: string): IJepaError<"weights/missing"> {
  return new IJepaError("weights/missing", `${file} lacks ${name}, which belongs to a matrix quantized by bitsandbytes. Save the model again.`, {
    what: "tensor",
    names: [name],
  });
}
