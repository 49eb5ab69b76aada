/**
 * Checkpoints of the research code (facebookresearch/ijepa, `save_checkpoint` of src/train.py): a dict with the state dicts of
 * `encoder` and `target_encoder` among others, in timm's names. Here they become tensors of Hugging Face's names, as its
 * convert_ijepa_to_hf.py renames them; query, key and value are thirds of one range of the file.
 */
import { IJepaError } from "../../core/errors.js";
import { show } from "../../core/show.js";
import { sizeOf } from "../../core/tensor.js";
import type { ByteSource } from "../../runtime/env.js";
import { IJepaConfig, type IJepaConfigFields } from "../../config/config.js";
import { prefixed } from "../checks.js";
import { DTYPE_BITS } from "../dtypes.js";
import type { SafetensorsFile, TensorInfo } from "../safetensors/reader.js";
import { readRange } from "../sources/bytes.js";
import { openTorchArchive, TorchTensor } from "./archive.js";
import { broken } from "./zip.js";

export interface ResearchOptions {
  /** Which of the checkpoint's encoders: the one that learned ("encoder", the default, as Hugging Face converts it) or its moving average. */
  checkpointKey?: "encoder" | "target_encoder" | undefined;
  /** Fields that a .pth.tar does not contain, such as `numAttentionHeads` of an unpublished size; they replace the derived ones. */
  config?: Partial<IJepaConfigFields> | undefined;
}

const CHECKPOINT_KEYS = ["encoder", "target_encoder"] as const;

/** Heads by hidden size and layers: the sizes of src/models/vision_transformer.py. The file does not contain them. */
const HEADS: Readonly<Record<string, number>> = {
  "192x12": 3, "384x12": 6, "768x12": 12, "1024x24": 16, "1280x32": 16, "1408x40": 16, "1664x48": 16,
};

/** Epsilon of all layer norms in the research code. */
const LAYER_NORM_EPS = 1e-6;

/** Names outside of the blocks, and in a block; each has a weight and a bias. */
const OUTER: Readonly<Record<string, string>> = { "patch_embed.proj": "embeddings.patch_embeddings.projection", norm: "layernorm" };
const INNER: Readonly<Record<string, string>> = {
  norm1: "layernorm_before", "attn.proj": "attention.output.dense", norm2: "layernorm_after", "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense",
};
const THIRDS = ["query", "key", "value"];

/** The shape and place of one tensor, before the start of its storage is known. */
interface Part {
  name: string;
  tensor: TorchTensor;
  shape: readonly number[];
  /** Elements from the start of the tensor. */
  skip: number;
}

/**
 * Reads the description of one encoder: its configuration, from the shapes, and its tensors; no weights yet.
 * @throws IJepaError `weights/format`, `weights/unsafe`, `weights/missing` without such an encoder, `config/field`, `io/read`, `aborted`
 */
export async function openResearch(
  source: ByteSource, options: ResearchOptions, signal?: AbortSignal,
): Promise<{ config: IJepaConfig; file: SafetensorsFile }> {
  const { checkpointKey = "encoder" } = options;
  if (!CHECKPOINT_KEYS.includes(checkpointKey)) throw new TypeError(`checkpointKey must be one of ${CHECKPOINT_KEYS.join(", ")}, not ${show(checkpointKey)}.`);
  const archive = await openTorchArchive(source, signal);
  const state = stateDict(source, archive.value, checkpointKey), config = configOf(source, state, options.config ?? {});
  const parts = [...state].flatMap(([name, tensor]) => partsOf(name, tensor));
  const names = new Set<string>();
  for (const { name } of parts) {
    if (names.has(name)) throw broken(source, `two of its tensors are ${show(name)}`);
    names.add(name);
  }
  const starts = await archive.locate(parts.map(({ tensor }) => tensor.storage), signal);
  const infos = parts.map(({ name, tensor, shape, skip }): TensorInfo => {
    const { dtype } = tensor.storage, bytes = DTYPE_BITS[dtype] / 8;
    const begin = starts.get(tensor.storage)! + (tensor.offset + skip) * bytes;
    return { name, dtype, shape, begin, end: begin + sizeOf(shape) * bytes };
  });
  const file: SafetensorsFile = {
    name: source.name,
    tensors: new Map(infos.map((info) => [info.name, info])),
    metadata: {},
    readTensor: (info, readSignal, into) => readRange(source, info.begin, info.end - info.begin, readSignal, into),
    readBytes: (begin, end, readSignal, into) => readRange(source, begin, end - begin, readSignal, into),
    close: () => source.close(),
  };
  return { config, file };
}

/** Tensor names without DDP's `module.`. */
function stateDict(source: ByteSource, checkpoint: unknown, key: string): Map<string, TorchTensor> {
  const state = checkpoint instanceof Map ? (checkpoint.get(key) as unknown) : undefined;
  if (!(state instanceof Map)) {
    const keys = checkpoint instanceof Map ? [...checkpoint.keys()] : [], other = CHECKPOINT_KEYS.find((known) => keys.includes(known));
    const what = other === undefined ? "Is it a checkpoint of the I-JEPA research code?" : `Pass { checkpointKey: "${other}" } to take that one.`;
    const message = `${source.name} has no state dict ${JSON.stringify(key)}; it has ${keys.slice(0, 20).map(show).join(", ") || "no dict"}. ${what}`;
    throw new IJepaError("weights/missing", message, { what: "state dict", names: [key] });
  }
  const tensors = new Map<string, TorchTensor>();
  for (const [name, tensor] of state as Map<unknown, unknown>) {
    if (typeof name !== "string" || !(tensor instanceof TorchTensor)) throw broken(source, `${key} holds ${show(name)}, which is not a named tensor`);
    const plain = name.replace(/^module\./, "");
    if (tensors.has(plain)) throw broken(source, `${key} has ${show(plain)} twice`);
    tensors.set(plain, tensor);
  }
  return tensors;
}

function configOf(source: ByteSource, state: ReadonlyMap<string, TorchTensor>, given: Partial<IJepaConfigFields>): IJepaConfig {
  const shapeOf = (name: string, dims: number) => {
    const shape = state.get(name)?.shape;
    if (shape !== undefined && shape.length === dims) return shape;
    const message = `${source.name} has no ${name} of ${dims} dimensions. ${prefixed(state.keys(), name) ?? "Is it a checkpoint of the I-JEPA research code?"}`;
    throw new IJepaError("weights/missing", message, { what: "tensor", names: [name] });
  };
  const [, patches, hiddenSize] = shapeOf("pos_embed", 3);
  const [, numChannels, patchHeight, patchWidth] = shapeOf("patch_embed.proj.weight", 4);
  const [intermediateSize] = shapeOf("blocks.0.mlp.fc1.weight", 2);
  const numHiddenLayers = [...state.keys()].reduce((layers, name) => Math.max(layers, 1 + Number(/^blocks\.(\d+)\./.exec(name)?.[1] ?? 0)), 0);
  const side = Math.round(Math.sqrt(patches)), numAttentionHeads = given.numAttentionHeads ?? HEADS[`${hiddenSize}x${numHiddenLayers}`];
  if (numAttentionHeads === undefined) {
    const message =
      `${source.name} does not have a published size (hidden size ${hiddenSize}, ${numHiddenLayers} layers), and the file does not give the number of its attention heads. ` +
      "Pass them: { config: { numAttentionHeads } }.";
    throw new IJepaError("config/field", message, { field: "num_attention_heads", value: undefined });
  }
  if (side * side !== patches && given.imageSize === undefined) {
    const message = `${source.name} has ${patches} position embeddings, which do not form a square. Pass { config: { imageSize: [height, width] } }.`;
    throw new IJepaError("config/field", message, { field: "image_size", value: undefined });
  }
  return new IJepaConfig({
    hiddenSize,
    numHiddenLayers,
    intermediateSize,
    numChannels,
    layerNormEps: LAYER_NORM_EPS,
    patchSize: patchHeight === patchWidth ? patchHeight : [patchHeight, patchWidth],
    imageSize: patchHeight === patchWidth ? side * patchHeight : [side * patchHeight, side * patchWidth],
    qkvBias: state.has("blocks.0.attn.qkv.bias"),
    ...given,
    numAttentionHeads,
  });
}

/** Hugging Face's names of a tensor; a name that is none of the research code's stays, and is reported as unexpected. */
function partsOf(name: string, tensor: TorchTensor): Part[] {
  const whole = (to: string): Part[] => [{ name: to, tensor, shape: tensor.shape, skip: 0 }];
  if (name === "pos_embed") return whole("embeddings.position_embeddings");
  const [, block, module, kind] = /^(?:blocks\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name) ?? [];
  if (block === undefined) return whole(OUTER[module] === undefined ? name : `${OUTER[module]}.${kind}`);
  const layer = `encoder.layer.${block}`;
  if (module !== "attn.qkv") return whole(INNER[module] === undefined ? name : `${layer}.${INNER[module]}.${kind}`);
  const [rows, ...rest] = tensor.shape, third = rows / 3;
  if (!Number.isInteger(third)) return whole(name);
  return THIRDS.map((part, i) => ({
    name: `${layer}.attention.attention.${part}.${kind}`,
    tensor,
    shape: [third, ...rest],
    skip: i * third * sizeOf(rest),
  }));
}
