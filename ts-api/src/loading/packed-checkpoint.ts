/** From packed files to the parts of a model. Nothing is computed: the bytes of a part are what the backend takes. */
import { isCodebook } from "../core/codebooks.js";
import { IJepaError } from "../core/errors.js";
import { BLOCK, GROUPS, PANEL, roundUp, type Dtype, type Group } from "../core/numerics.js";
import type { ElementType } from "../ops/contract.js";
import type { Checkpoint } from "../weights/checkpoint.js";
import { toFloat32, type SafetensorsDtype } from "../weights/dtypes.js";
import type { Matrix, PackedBuffer } from "../packing/pack.js";
import { partOf, type PackedFiles } from "../weights/safetensors/packed-files.js";
import type { ReadBuffer } from "../core/read-buffer.js";
import { embeddingInputs, restFormat } from "../encoder/plan.js";
import type { LinearWeights, NormWeights, PackedParts } from "../packing/encoder-weights.js";

/** Types of buffers as safetensors names them. */
export const STORED_AS = { f32: "F32", bf16: "BF16", u8: "U8", i8: "I8", u32: "U32" } as const satisfies Record<ElementType, SafetensorsDtype>;

/** The buffers of one part, by name. */
type Buffers = (name: string) => PackedBuffer | undefined;

/**
 * The parts of a packed checkpoint.
 * @throws IJepaError when a part is asked for: `weights/missing`, `weights/shape`, `weights/dtype`, and as `readPart`
 */
export function packedParts(checkpoint: Checkpoint, packed: PackedFiles): PackedParts {
  const { dtype, groupSize } = packed, { config } = checkpoint, { hiddenSize: hidden, intermediateSize: mlp, patchInputs } = config;
  const open = async (part: string, signal?: AbortSignal, into?: ReadBuffer) =>
    new PartReader(await readBuffers(checkpoint, part, signal, into), checkpoint.ref, groupSize);
  return {
    dtype,
    groupSize,
    layers: config.numHiddenLayers,
    async embedding(signal, into) {
      const name = "embeddings.patch_embeddings.projection", part = await open(partOf(name), signal, into), format = restFormat(dtype);
      return { patches: part.linear(name, format, hidden, embeddingInputs(format, patchInputs)) };
    },
    positions: (signal) => positions(checkpoint, signal),
    async layer(index, signal, into) {
      const layer = `encoder.layer.${index}`, part = await open(layer, signal, into);
      return {
        before: part.norm(`${layer}.layernorm_before`, hidden),
        qkv: part.linear(`${layer}.attention.qkv`, dtype, 3 * hidden, hidden),
        projection: part.linear(`${layer}.attention.output.dense`, dtype, hidden, hidden),
        after: part.norm(`${layer}.layernorm_after`, hidden),
        up: part.linear(`${layer}.intermediate.dense`, dtype, mlp, hidden),
        down: part.linear(`${layer}.output.dense`, dtype, hidden, mlp),
      };
    },
    final: async (signal, into) => (await open("layernorm", signal, into)).norm("layernorm", hidden),
  };
}

async function positions(checkpoint: Checkpoint, signal?: AbortSignal): Promise<Float32Array> {
  const name = "embeddings.position_embeddings", { numPatches, hiddenSize } = checkpoint.config;
  const part = new PartReader(await readBuffers(checkpoint, partOf(name), signal), checkpoint.ref, undefined);
  return toFloat32(part.buffer(name, "f32", [1, numPatches, hiddenSize]).bytes, "F32", name);
}

async function readBuffers(checkpoint: Checkpoint, part: string, signal?: AbortSignal, into?: ReadBuffer): Promise<Buffers> {
  const all = await checkpoint.packed!.part(part, signal, into);
  return (name) => {
    const bytes = all.get(name), info = checkpoint.tensors.get(name);
    if (bytes === undefined || info === undefined) return undefined;
    const type = (Object.keys(STORED_AS) as ElementType[]).find((key) => STORED_AS[key] === info.dtype);
    if (type === undefined) throw wrongType(name, info.dtype);
    return { name, type, dims: info.shape, bytes };
  };
}

class PartReader {
  constructor(
    private readonly buffers: Buffers,
    private readonly where: string,
    private readonly groupSize: Group | undefined,
  ) {}

  norm(name: string, cols: number): NormWeights<PackedBuffer> {
    return { gamma: this.buffer(`${name}.weight`, "f32", [cols]), beta: this.buffer(`${name}.bias`, "f32", [cols]) };
  }

  linear(name: string, format: Dtype, cols: number, inputs: number): LinearWeights<PackedBuffer> {
    return { ...this.matrix(name, format, cols, inputs), bias: this.buffer(`${name}.bias`, "f32", [roundUp(cols, PANEL)]) };
  }

  private matrix(name: string, format: Dtype, cols: number, inputs: number): Matrix<PackedBuffer> {
    const weight = `${name}.weight`, inner = roundUp(inputs, BLOCK), panels = roundUp(cols, PANEL) / PANEL;
    const plain = (as: "fp32" | "bf16", type: "f32" | "bf16") => ({ format: as, cols, inner, w: this.buffer(weight, type, [panels, inner, PANEL]) });
    if (format === "fp32") return plain("fp32", "f32");
    // In nf4 and fp4 models, matrices whose blocks do not fit the panels are bf16.
    if (format === "bf16" || (isCodebook(format) && this.need(weight).type === "bf16")) return plain("bf16", "bf16");
    if (format === "int8") {
      const w = this.buffer(weight, "i8", [panels, inner / 4, 4 * PANEL]);
      return { format, cols, inner, w, scales: this.buffer(`${name}.scales`, "bf16", [panels, inner / BLOCK, PANEL]) };
    }
    const w = this.buffer(weight, "u8", [panels, inner / 4, 16]), stored = this.need(`${name}.scales`).dims[1];
    const group = format === "int4" ? this.groupSize! : (GROUPS.find((size) => inner / size === stored) ?? BLOCK);
    const scales = this.buffer(`${name}.scales`, format === "int4" ? "bf16" : "f32", [panels, Math.ceil(inner / group), PANEL]);
    return { format, cols, inner, group, w, scales };
  }

  buffer(name: string, type: ElementType, dims: readonly number[]): PackedBuffer {
    const buffer = this.need(name);
    if (buffer.type !== type) throw wrongType(name, STORED_AS[buffer.type]);
    if (buffer.dims.join() !== dims.join()) {
      const [actual, wanted] = [buffer.dims.join(", "), dims.join(", ")];
      const message = `Tensor ${name} of ${this.where} has the shape [${actual}], but config.json asks for [${wanted}].`;
      throw new IJepaError("weights/shape", message, { tensor: name, expected: dims, actual: buffer.dims });
    }
    return buffer;
  }

  private need(name: string): PackedBuffer {
    const buffer = this.buffers(name);
    if (buffer !== undefined) return buffer;
    throw new IJepaError("weights/missing", `${this.where} lacks ${name}. Convert the original checkpoint again.`, { what: "tensor", names: [name] });
  }
}

function wrongType(tensor: string, dtype: string): IJepaError<"weights/dtype"> {
  const message = `Tensor ${tensor} is stored as ${dtype}, which is not how it is packed. Convert the original checkpoint again.`;
  return new IJepaError("weights/dtype", message, { tensor, dtype });
}
