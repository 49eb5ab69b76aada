/** Four-bit bitsandbytes checkpoints: codes, scales, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runtime } from "#runtime";
import { bytesView } from "../../../ts-api/src/backends/backend.js";
import { IJepaForImageClassification, IJepaModel, Tensor } from "../../../ts-api/src/index.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { expectedTensors } from "../../../ts-api/src/weights/tensor-names.js";
import { decode, dynamicMap, encode, encodeScales } from "../../../ts-api/src/quantize/bitsandbytes.js";
import { openSafetensors } from "../../../ts-api/src/weights/safetensors/reader.js";
import { serializeSafetensors, type TensorBytes } from "../../../ts-api/src/weights/safetensors/writer.js";
import { quantizationConfig, quantizeTensors, type QuantizeOptions } from "../../support/bitsandbytes.js";
import { gaussArray } from "../../support/random.js";
import { f32, failure, inFolder, SMALL, smallTensors } from "./helpers.js";

const LINEARS = [...expectedTensors(SMALL)].filter(([name, shape]) => name.startsWith("encoder.") && shape.length === 2).map(([name]) => name);
const NAME = "encoder.layer.0.intermediate.dense.weight";
const IMAGE = { pixelValues: new Tensor("float32", gaussArray("bitsandbytes", 64), [1, 1, 8, 8]) };

/** The files of a small checkpoint whose layers are in four bits. */
function files(options: QuantizeOptions = {}, spoil: (tensors: Map<string, TensorBytes>) => void = () => {}, config = quantizationConfig(options.codebook)) {
  const tensors = smallTensors();
  quantizeTensors(tensors, LINEARS, options);
  spoil(tensors);
  return { "config.json": JSON.stringify({ ...SMALL.toJSON(), quantization_config: config }), "model.safetensors": serializeSafetensors(tensors) };
}

async function digest(folder: string): Promise<string> {
  const model = await IJepaModel.fromPretrained(folder, { device: "wasm" });
  const { numerics } = await model.forward(IMAGE);
  await model.dispose();
  return `${numerics.dtype} ${numerics.digest}`;
}

for (const codebook of ["nf4", "fp4"] as const) {
  for (const doubleQuant of [false, true]) {
    test(`${codebook}${doubleQuant ? ", double quantization" : ""}: in any storage type, under both namings, and decoded`, async () => {
      const options = { codebook, doubleQuant };
      const expected = await inFolder(files(options), digest);
      assert.ok(expected.startsWith(`${codebook} `), expected);
      for (const storage of ["BF16", "F16", "F32", "I8"] as const) assert.equal(await inFolder(files({ ...options, storage }), digest), expected, storage);
      const renamed = files(options, (tensors) => {
        for (const [name, tensor] of [...tensors]) {
          tensors.delete(name);
          tensors.set(`ijepa.${name.replace("encoder.layer.", "layers.").replace("intermediate.dense", "mlp.fc1")}`, tensor);
        }
      });
      assert.equal(await inFolder(renamed, digest), expected, "the naming of transformers 5");
      await inFolder(files(options), async (folder) => {
        const checkpoint = await openCheckpoint(folder), codes = (await checkpoint.codes(NAME))!;
        assert.equal(checkpoint.quantized, codebook);
        assert.deepEqual(await checkpoint.tensor(NAME), decode(codes));
        assert.equal(await checkpoint.codes("layernorm.weight"), undefined);
        await checkpoint.close();
      });
    });
  }
}

test("a quantized pooler and classifier are decoded", async () => {
  const config = { ...SMALL.toJSON(), num_labels: 3 }, heads = { "pooler.dense": 8, classifier: 3 };
  const tensors = smallTensors();
  for (const [name, outputs] of Object.entries(heads)) {
    tensors.set(`${name}.weight`, { dtype: "F32", shape: [outputs, 8], bytes: bytesView(gaussArray(name, outputs * 8)) });
    tensors.set(`${name}.bias`, f32([outputs], Array.from({ length: outputs }, (_, i) => i)));
  }
  const run = (change: (tensors: Map<string, TensorBytes>) => void) => {
    const copy = new Map(tensors);
    change(copy);
    return inFolder({ "config.json": JSON.stringify(config), "model.safetensors": serializeSafetensors(copy) }, async (folder) => {
      const classifier = await IJepaForImageClassification.fromPretrained(folder, { dtype: "fp32" });
      const model = await IJepaModel.fromPretrained(folder, { dtype: "fp32", addPoolingLayer: true });
      return [(await classifier.forward(IMAGE)).logits.data, (await model.forward(IMAGE)).poolerOutput!.data];
    });
  };
  const names = Object.keys(heads).map((name) => `${name}.weight`);
  const decoded = await run((copy) => {
    for (const name of names) {
      const matrix = copy.get(name)!, data = new Float32Array(matrix.bytes.slice().buffer);
      copy.set(name, { ...matrix, bytes: bytesView(decode(encode("nf4", data))) });
    }
  });
  assert.deepEqual(await run((copy) => quantizeTensors(copy, names)), decoded);
  assert.notDeepEqual(decoded, await run(() => {}));
});

/** Changes one tensor's bytes as JSON, or as they are. */
function state(change: Record<string, unknown>): (tensors: Map<string, TensorBytes>) => void {
  return (tensors) => {
    const key = `${NAME}.quant_state.bitsandbytes__nf4`, old = JSON.parse(new TextDecoder().decode(tensors.get(key)!.bytes)) as object;
    const bytes = new TextEncoder().encode(JSON.stringify({ ...old, ...change }));
    tensors.set(key, { dtype: "U8", shape: [bytes.length], bytes });
  };
}

function put(suffix: string, tensor: TensorBytes | undefined): (tensors: Map<string, TensorBytes>) => void {
  return (tensors) => void (tensor === undefined ? tensors.delete(`${NAME}${suffix}`) : tensors.set(`${NAME}${suffix}`, tensor));
}

const WRONG: [what: string, code: "weights/format" | "weights/missing" | "weights/shape" | "weights/value" | "weights/dtype", spoil: (tensors: Map<string, TensorBytes>) => void, message: RegExp][] = [
  ["no absmax", "weights/missing", put(".absmax", undefined), /absmax/],
  ["no quant_map", "weights/missing", put(".quant_map", undefined), /quant_map/],
  ["no quant_state", "weights/missing", put(".quant_state.bitsandbytes__nf4", undefined), /quant_state/],
  ["no codes", "weights/missing", put("", undefined), /intermediate\.dense\.weight,/],
  ["half of the nested parts", "weights/missing", put(".nested_absmax", undefined), /nested_absmax/],
  ["an unknown type", "weights/dtype", (tensors) => tensors.set(`${NAME}.quant_state.bitsandbytes__nf3`, f32([1], [0])), /nf3/],
  ["another type inside", "weights/format", state({ quant_type: "fp4" }), /quant_type "fp4"/],
  ["another shape", "weights/shape", state({ shape: [8, 16] }), /\[8, 16\]/],
  ["no shape", "weights/format", state({ shape: "large" }), /shape/],
  ["a blocksize of 0", "weights/format", state({ blocksize: 0 }), /blocksize is 0/],
  ["another blocksize", "weights/format", state({ blocksize: 32 }), /absmax has 2/],
  ["no nested_offset", "weights/format", state({ nested_offset: undefined }), /nested_offset/],
  ["an offset that is no number", "weights/format", state({ nested_offset: "much" }), /nested_offset is "much"/],
  ["a nested_blocksize of 1.5", "weights/format", state({ nested_blocksize: 1.5 }), /nested_blocksize is 1.5/],
  ["a quant_state that is no JSON", "weights/format", put(".quant_state.bitsandbytes__nf4", { dtype: "U8", shape: [1], bytes: Uint8Array.of(123) }), /not JSON/],
  ["a quant_state that is null", "weights/format", put(".quant_state.bitsandbytes__nf4", { dtype: "U8", shape: [4], bytes: new TextEncoder().encode("null") }), /blocksize is undefined/],
  ["another codebook", "weights/format", put(".quant_map", f32([16], new Array<number>(16).fill(0))), /quant_map is not that of nf4/],
  ["a short codebook", "weights/format", put(".quant_map", f32([1], [0])), /quant_map has 1 values/],
  ["too few codes", "weights/format", put("", { dtype: "U8", shape: [3, 1], bytes: new Uint8Array(3) }), /3 bytes of codes; 64/],
  ["NaN as a scale", "weights/value", put(".nested_absmax", f32([1], [NaN])), /nested_absmax holds NaN/],
  ["scales in another type", "weights/format", put(".absmax", f32([2], [1, 1])), /8 bytes of F32/],
];

for (const [what, code, spoil, message] of WRONG) {
  test(`refused: ${what}`, async () => {
    await inFolder(files({ doubleQuant: true }, spoil), async (folder) => {
      assert.match((await failure(code, () => IJepaModel.fromPretrained(folder))).message, message);
    });
  });
}

test("eight bits are refused", async () => {
  const config = { quant_method: "bitsandbytes", load_in_8bit: true };
  await inFolder(files({}, () => {}, config), async (folder) => {
    const error = await failure("weights/dtype", () => openCheckpoint(folder));
    assert.match(error.message, /8-bit bitsandbytes/);
  });
});

test("the encoder is bitsandbytes' own: its codes for the same weights", async () => {
  const plain = await openCheckpoint("tests/goldens/models/like-vith14");
  for (const codebook of ["nf4", "fp4"] as const) {
    const quantized = await openCheckpoint(`tests/goldens/bitsandbytes/like-vith14-${codebook}`);
    for (const name of ["encoder.layer.0.attention.attention.query.weight", "encoder.layer.3.output.dense.weight"]) {
      const stored = (await quantized.codes(name))!, ours = encode(codebook, await plain.tensor(name));
      // Two codes of fp4 are zero, so that values are compared.
      assert.deepEqual(decode({ ...ours, absmax: stored.absmax }), decode(stored));
    }
    await quantized.close();
  }
  await plain.close();
});

test("so is double quantization: its map and, around nearly the same mean, its codes", async () => {
  const name = "encoder.layer.0.intermediate.dense.weight", folder = "tests/goldens/bitsandbytes/like-vith14-nf4";
  const plain = await openCheckpoint(folder), file = await openSafetensors(await runtime.openFile(`${folder}-dq/model.safetensors`));
  const read = async (part: string) => (await file.readTensor(file.tensors.get(`${name}.${part}`)!)).slice();
  const nested = encodeScales((await plain.codes(name))!.absmax);
  assert.deepEqual(bytesView(dynamicMap()), await read("nested_quant_map"));
  assert.deepEqual(nested.codes, await read("absmax"));
  const { nested_offset: offset } = JSON.parse(new TextDecoder().decode(await read("quant_state.bitsandbytes__nf4"))) as { nested_offset: number };
  assert.ok(Math.abs(nested.offset / offset - 1) < 1e-6);
  await plain.close();
  await file.close();
});

test("blocks of zeros, of tiny values and a block of its own at the end", () => {
  const weights = new Float32Array(64 * 3 + 5);
  weights.fill(1e-40, 64, 128);
  weights.set(gaussArray("blocks", 69), 128);
  const { codes, absmax, count } = encode("nf4", weights), decoded = decode(encode("nf4", weights));
  assert.deepEqual([count, codes.length, absmax.length], [197, 99, 4]);
  assert.ok(decoded.subarray(0, 128).every((value) => value === 0));
  for (let i = 128; i < 197; i++) assert.ok(Math.abs(decoded[i] - weights[i]) < 0.2 * absmax[i >> 6], `weight ${i}`);
  assert.ok(decode(encode("nf4", new Float32Array(70))).every((value) => value === 0));
});
