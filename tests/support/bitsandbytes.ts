/** Four-bit checkpoints as transformers saves them, made of ordinary ones. */
import { bytesView } from "../../ts-api/src/backends/backend.js";
import { CODEBOOKS, type CodebookName } from "../../ts-api/src/core/codebooks.js";
import { DTYPE_BITS, toFloat32, type SafetensorsDtype } from "../../ts-api/src/weights/dtypes.js";
import { encode, encodeScales } from "../../ts-api/src/quantize/bitsandbytes.js";
import type { TensorBytes } from "../../ts-api/src/weights/safetensors/writer.js";

export interface QuantizeOptions {
  codebook?: CodebookName;
  doubleQuant?: boolean;
  /** bnb_4bit_quant_storage. */
  storage?: SafetensorsDtype;
}

/** Quantizes the matrices `names` in place. */
export function quantizeTensors(tensors: Map<string, TensorBytes>, names: readonly string[], options: QuantizeOptions = {}): void {
  const { codebook = "nf4", doubleQuant = false, storage = "U8" } = options;
  for (const name of names) {
    const { bytes, dtype, shape } = tensors.get(name)!;
    const { codes, blocksize, absmax } = encode(codebook, toFloat32(bytes, dtype));
    const state: Record<string, unknown> = { quant_type: codebook, blocksize, dtype: "float32", shape };
    const put = (suffix: string, type: SafetensorsDtype, data: ArrayBufferView, size = data.byteLength / (DTYPE_BITS[type] / 8)) =>
      tensors.set(`${name}${suffix}`, { dtype: type, shape: suffix === "" ? [size, 1] : [size], bytes: bytesView(data) });
    put("", storage, codes);
    put(".quant_map", "F32", CODEBOOKS[codebook]);
    if (doubleQuant) {
      const nested = encodeScales(absmax);
      put(".absmax", "U8", nested.codes);
      put(".nested_absmax", "F32", nested.absmax);
      put(".nested_quant_map", "F32", nested.map);
      Object.assign(state, { nested_blocksize: nested.blocksize, nested_dtype: "float32", nested_offset: nested.offset });
    } else {
      put(".absmax", "F32", absmax);
    }
    put(`.quant_state.bitsandbytes__${codebook}`, "U8", new TextEncoder().encode(JSON.stringify(state)));
  }
}

/** The quantization_config that transformers writes beside them. */
export function quantizationConfig(codebook: CodebookName = "nf4"): Record<string, unknown> {
  return { quant_method: "bitsandbytes", load_in_4bit: true, load_in_8bit: false, bnb_4bit_quant_type: codebook };
}
