/** The same model, image, machine and number of threads, turn by turn with other runtimes. */
import { runtime } from "#runtime";
import { meanCosine } from "../../tests/support/models.js";
import { recipeWeights } from "../../tests/support/recipe.js";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { IJepaModel } from "../../ts-api/src/model/model.js";
import { imageOf } from "../encoder/main.js";
import { peakMemory } from "../support/machine.js";
import { race, type Contestant } from "../support/measure.js";
import { kept, recipeConfig, recipeFolder, type ModelName } from "../support/models.js";
import { digits, table } from "../support/table.js";
import { encoderGraph, type AccuracyLevel, type OnnxFormat } from "./graph.js";
import { openPeers } from "./runtimes.js";

export interface PeersOptions {
  rounds: number;
  model: ModelName;
  dtypes: readonly Dtype[];
  threads: number;
  /** Of the peers' MatMulNBits; each is timed. */
  accuracyLevels: readonly AccuracyLevel[];
}

/** Least mean cosine of a peer's tokens to ours. int4 runs beside the same 4-bit weights, the others beside fp32. */
const LEAST_COSINE: Record<Dtype, number> = { fp32: 0.9999, bf16: 0.9995, int8: 0.9995, int4: 0.995, nf4: 0.95, fp4: 0.95 };

export async function benchPeers(options: PeersOptions): Promise<void> {
  for (const dtype of options.dtypes) await comparePeers(options, dtype);
}

async function comparePeers({ rounds, model: name, threads, accuracyLevels }: PeersOptions, dtype: Dtype): Promise<void> {
  const config = recipeConfig(name), formats: readonly OnnxFormat[] = dtype === "int4" ? accuracyLevels.map((level) => `q4-level${level}` as const) : ["fp32"];
  const files = new Map<OnnxFormat, string>();
  for (const format of formats) files.set(format, await onnxFile(name, format));
  const folder = await recipeFolder(name), open = (revectorize: boolean) => IJepaModel.fromPretrained(folder, { dtype, device: "wasm", threads, revectorize });
  const ours = await open(false), wide = runtime.revectorizedModule === undefined ? [] : [await open(true)];
  const peers = await openPeers(files, threads);
  const pixelValues = imageOf(config), { data, dims } = pixelValues;

  const { lastHiddenState, numerics: { digest } } = await ours.forward({ pixelValues });
  const cosines: string[] = ["1"];
  for (const model of wide) {
    const { numerics } = await model.forward({ pixelValues });
    if (numerics.digest !== digest) throw new Error("Vectors of 256 bits give other bits; nothing was timed.");
    cosines.push("1");
  }
  for (const peer of peers) {
    const cosine = meanCosine(await peer.run(data, dims), lastHiddenState.data, config.hiddenSize);
    if (!(cosine >= LEAST_COSINE[dtype])) {
      throw new Error(`${peer.name} has cosine ${cosine} to our ${dtype}, less than ${LEAST_COSINE[dtype]}; nothing was timed.`);
    }
    cosines.push(cosine.toFixed(6));
  }

  const contestants: Contestant[] = [
    { name: `ijepa ${dtype}`, run: async () => void (await ours.forward({ pixelValues })) },
    ...wide.map((model) => ({ name: `ijepa ${dtype} revectorized`, run: async () => void (await model.forward({ pixelValues })) })),
    ...peers.map((peer) => ({ name: peer.name, run: async () => void (await peer.run(data, dims)) })),
  ];
  const timings = await race(contestants, { rounds, sampleMs: 0 });
  const rows = timings.map(({ name: contestant, min, median }, i) => [
    contestant, cosines[i], digits(min), digits(median), ...timings.slice(0, 1 + wide.length).map((own) => (median / own.median).toFixed(2)),
  ]);
  console.log(`\n${name} ${dtype}, one image; ours: ${ours.deviceDescription}\n`);
  console.log(table(["runtime", "cosine to ours", "min ms", "median ms", "x ours", ...wide.map(() => "x revectorized")], rows));
  console.log(`\npeak memory of the process, all runtimes together: ${peakMemory().toFixed(0)} MB`);
  for (const model of [ours, ...wide]) await model.dispose();
  for (const peer of peers) await peer.close();
}

/** Made once from the recipe's weights. */
export function onnxFile(name: ModelName, format: OnnxFormat): Promise<string> {
  const config = recipeConfig(name);
  if (name === "vith14" && format === "fp32") {
    throw new Error("vith14 in fp32 has 2.5 GB of weights; an ONNX file holds 2 GB at most. Use --dtype int4.");
  }
  return kept(`${name}-${format}.onnx`, async (path) => (await encoderGraph(config, recipeWeights(config), format)).write(path));
}
