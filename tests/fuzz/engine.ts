/** Every way of computing a random model must give the bits of the first: batches, threads, streams, packed and saved files, all kernels. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { variantsHere } from "../../ts-api/src/backends/variants.js";
import { Tensor } from "../../ts-api/src/core/tensor.js";
import { Encoder } from "../../ts-api/src/encoder/encoder.js";
import { loadEncoder } from "../../ts-api/src/encoder/place-weights.js";
import { IJepaModel, type ModelInputs, type ModelLoadOptions, type ModelOutput } from "../../ts-api/src/index.js";
import { partsOf } from "../../ts-api/src/loading/pack-checkpoint.js";
import { checkInputs } from "../../ts-api/src/model/inputs.js";
import { openCheckpoint } from "../../ts-api/src/weights/checkpoint.js";
import { convertModel } from "../../weights-tools/index.js";
import { makeCase, type EngineCase } from "./engine-case.js";
import type { FuzzPart } from "./frame.js";
import type { Random } from "./random.js";

type Arrays = Float32Array[];

export const engine: FuzzPart = {
  async open() {
    const { present } = await variantsHere();
    const variants = [...present, { name: "oracle", open: async () => openOracle() }];
    return {
      async run(random) {
        const folder = await mkdtemp(join(tmpdir(), "ijepa-fuzz-"));
        try {
          const made = makeCase(random);
          for (const [name, content] of Object.entries(made.files)) await writeFile(join(folder, name), content);
          const want = await runModels(random, made, folder);
          for (const variant of variants) await runVariant(variant, made, folder, want);
          return made.dtype;
        } finally {
          await rm(folder, { recursive: true });
        }
      },
    };
  },
};

/** The ways that the public interface has. Returns what the first gave. */
async function runModels(random: Random, made: EngineCase, folder: string): Promise<Arrays> {
  const { dtype, groupSize, inputs, options, images } = made, common: ModelLoadOptions = { device: "wasm", useMaskToken: made.maskToken, addPoolingLayer: made.pooler };
  const forward = async (ref: string, load: ModelLoadOptions, of = inputs): Promise<Arrays> => {
    const model = await IJepaModel.fromPretrained(ref, { ...common, ...load });
    try {
      return arraysOf(await model.forward(of, options));
    } finally {
      await model.dispose();
    }
  };
  const format = { dtype, groupSize }, want = await forward(folder, { ...format, threads: 1 });
  assert.ok(want[0].every(Number.isFinite), "values that are not finite");
  const model = await IJepaModel.fromPretrained(folder, { ...common, ...format });
  const single: Arrays[] = [];
  for (let i = 0; i < images; i++) single.push(arraysOf(await model.forward(sliceOf(inputs, i), options)));
  same("one image at a time", want.map((_, i) => Float32Array.from(single.flatMap((arrays) => [...arrays[i]]))), want);
  same("again, after other sizes", arraysOf(await model.forward(inputs, options)), want);
  await model.savePretrained(join(folder, "saved"));
  await model.dispose();
  const threads = random.pick([2, 3, 5]);
  same(`${threads} threads`, await forward(folder, { ...format, threads }), want);
  same("streamed", await forward(folder, { ...format, resident: false }), want);
  same("saved", await forward(join(folder, "saved"), format), want);
  await convertModel(folder, join(folder, "packed"), { ...format, shardSize: random.chance(0.5) ? 2_000_000 : undefined });
  same("packed", await forward(join(folder, "packed"), {}), want);
  same("packed and streamed", await forward(join(folder, "packed"), { resident: false, threads: 2 }), want);
  return want;
}

/** One set of kernels, below the public interface. */
async function runVariant({ name, open }: { name: string; open: () => Promise<ReturnType<typeof openOracle>> }, made: EngineCase, folder: string, want: Arrays): Promise<void> {
  const { config, dtype, groupSize, options, maskToken } = made, checkpoint = await openCheckpoint(folder), backend = await open();
  try {
    const weights = await loadEncoder(backend, partsOf(checkpoint, { dtype, groupSize }));
    const token = maskToken ? await checkpoint.tensor("embeddings.mask_token") : undefined;
    const { pixels, ...checked } = checkInputs(made.inputs, config, made.inputs.interpolatePosEncoding, maskToken);
    const result = await new Encoder(backend, config, dtype, weights, async () => {}).encode(pixels, { ...options, ...checked, maskToken: token });
    const got = [result.lastHiddenState, ...(result.hiddenStates ?? []), ...(result.attentions ?? [])];
    same(name, got, want.slice(0, got.length));
  } finally {
    backend.dispose();
    await checkpoint.close();
  }
}

function arraysOf({ lastHiddenState, hiddenStates = [], attentions = [], poolerOutput }: ModelOutput): Arrays {
  return [lastHiddenState, ...hiddenStates, ...attentions, ...(poolerOutput === undefined ? [] : [poolerOutput])].map(({ data }) => data);
}

/** The inputs of image `index`; the head mask holds for all. */
function sliceOf(inputs: ModelInputs, index: number): ModelInputs {
  const entries = Object.entries(inputs).map(([name, value]: [string, unknown]) => {
    if (!(value instanceof Tensor) || name === "headMask") return [name, value];
    const { type, data, dims } = value as Tensor, each = data.length / dims[0];
    return [name, new Tensor(type, data.slice(index * each, (index + 1) * each), [1, ...dims.slice(1)])];
  });
  return Object.fromEntries(entries) as ModelInputs;
}

function same(way: string, got: Arrays, want: Arrays): void {
  assert.equal(got.length, want.length, way);
  got.forEach((array, i) => {
    const [a, b] = [array, want[i]].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
    const at = a.length === b.length ? a.findIndex((word, j) => word !== b[j]) : 0;
    assert.ok(at < 0, `${way}: array ${i} differs at ${at}: ${array[at]} (0x${a[at]?.toString(16)}), expected ${want[i][at]} (0x${b[at]?.toString(16)})`);
  });
}
