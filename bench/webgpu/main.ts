/** Whole models on a GPU: images a second beside two ceilings of its arithmetic, dispatches and bytes of a layer. */
import { readFileSync, writeFileSync } from "node:fs";
import { encoderOn, meanCosine } from "../../tests/support/models.js";
import { recipePixels, recipeWeights } from "../../tests/support/recipe.js";
import { gpuHere } from "../../tests/support/webgpu.js";
import { attest } from "../../ts-api/src/backends/attest.js";
import { openBackend } from "../../ts-api/src/backends/open.js";
import { openWebgpu } from "../../ts-api/src/backends/webgpu/webgpu.js";
import { digestOf, type Dtype } from "../../ts-api/src/core/numerics.js";
import { IJepaConfig } from "../../ts-api/src/config/config.js";
import type { Encoder } from "../../ts-api/src/encoder/encoder.js";
import type { Pixels } from "../../ts-api/src/encoder/pixels.js";
import { median } from "../support/measure.js";
import { expectedTokens, MODELS, recipeConfig, type ModelName } from "../support/models.js";
import { digits, percent, table } from "../support/table.js";
import { ceiling, CEILINGS, type CeilingName } from "./ceilings.js";
import { counting } from "./counting.js";

export const WEBGPU_MODELS = [...MODELS, "tiny"] as const;

export interface WebgpuOptions {
  rounds: number;
  model: (typeof WEBGPU_MODELS)[number];
  dtypes: readonly Dtype[];
  batches: readonly number[];
  /** A JSON file for the numbers. */
  out: string | undefined;
}

/** Below this mean cosine of the tokens to PyTorch's f64 run, the model is wrong and no time is printed. */
const LEAST_COSINE = 0.95;
/** Which ceiling bounds the products of a format. */
const BOUND: Record<Dtype, CeilingName> = { fp32: "f32", bf16: "f32", nf4: "f32", fp4: "f32", int8: "dot4", int4: "dot4" };

export async function benchWebgpu({ rounds, model, dtypes, batches, out }: WebgpuOptions): Promise<void> {
  const { gpu, reason } = await gpuHere();
  if (gpu === undefined) throw new Error(`no WebGPU: ${reason}`);
  const report: Record<string, unknown>[] = [], rows: string[][] = [];
  const ceilings = await measureCeilings(gpu);
  for (const [name, rate] of ceilings) console.log(`ceiling ${name}: ${digits(rate / 1e9)} Gop/s`);

  const config = configOf(model), pixels = recipePixels(config);
  for (const dtype of dtypes) {
    const opened = await openWebgpu({ gpu }), { backend, programs } = counting(opened);
    const failed = await attest(opened, dtype);
    if (failed !== undefined) throw new Error(`${opened.device} gives other bits than the contract: probe ${failed}. Nothing was timed.`);
    const start = performance.now();
    const encoder = await encoderOn(backend, config, dtype, recipeWeights(config));
    const loadMs = performance.now() - start;
    const { lastHiddenState } = await encoder.encode(pixels);
    const one = [...programs];
    const check = await checked(model, config, dtype, pixels, lastHiddenState);
    const digest = await digestOf(lastHiddenState);
    console.log(`${model} ${dtype} on ${opened.device}: loaded in ${digits(loadMs / 1e3)} s, ${check}, digest ${digest}`);
    for (const batch of batches) {
      programs.length = 0;
      const images = repeated(pixels, batch);
      const first = await encoder.encode(images);
      if ((await digestOf(first.lastHiddenState.subarray(0, lastHiddenState.length))) !== digest) throw new Error(`batch ${batch} has other words`);
      // One image was compiled before.
      const costs = batch === 1 ? one : [...programs];
      const ms = await time(encoder, images, rounds), layer = costs[1], operations = costs.reduce((sum, cost) => sum + cost.operations, 0);
      const rate = operations / (ms.median / 1e3), peak = ceilings.get(BOUND[dtype]), perSecond = (1e3 * batch) / ms.median;
      report.push({ model, dtype, batch, device: opened.device, digest, loadMs, ms, imagesPerSecond: perSecond, operations, rate, peak, layer });
      rows.push([
        `${model} ${dtype}`, String(batch), digits(ms.min), digits(ms.median), digits(perSecond), digits(rate / 1e9),
        peak === undefined ? "-" : percent(rate / peak), String(layer.kernels.length), digits(layer.bytes / 1e6),
      ]);
      // After each, so that a run that is stopped leaves what it had.
      if (out !== undefined) writeFileSync(out, `${JSON.stringify({ ceilings: Object.fromEntries(ceilings), models: report }, null, 2)}\n`);
    }
    opened.dispose();
  }
  console.log(`\n${table(["model", "batch", "min ms", "median ms", "images/s", "Gop/s", "of ceiling", "dispatches a layer", "MB a layer"], rows)}`);
  for (const { dtype, layer } of report.filter(({ batch }) => batch === batches[0])) {
    console.log(`\na layer of ${String(dtype)}: ${(layer as { kernels: string[] }).kernels.join(", ")}`);
  }
}

async function measureCeilings(gpu: GPU): Promise<Map<CeilingName, number>> {
  const device = await (await gpu.requestAdapter({ powerPreference: "high-performance" }))!.requestDevice();
  const rates = new Map<CeilingName, number>();
  for (const name of CEILINGS) {
    const rate = await ceiling(device, gpu, name);
    if (rate !== undefined) rates.set(name, rate);
  }
  device.destroy();
  return rates;
}

function configOf(model: WebgpuOptions["model"]): IJepaConfig {
  if (model !== "tiny") return recipeConfig(model);
  const file = "tests/goldens/models/tiny/config.json";
  return IJepaConfig.fromJSON(JSON.parse(readFileSync(file, "utf8")), file);
}

/** Throws when the tokens are wrong: not the CPU's words where that is quick, else far from PyTorch's f64 run. */
async function checked(model: WebgpuOptions["model"], config: IJepaConfig, dtype: Dtype, pixels: Pixels, tokens: Float32Array): Promise<string> {
  if (model === "tiny") {
    const cpu = await openBackend("wasm");
    const { lastHiddenState } = await (await encoderOn(cpu, config, dtype, recipeWeights(config))).encode(pixels);
    cpu.dispose();
    if ((await digestOf(lastHiddenState)) !== (await digestOf(tokens))) throw new Error(`${model} ${dtype} has other words than on the CPU; nothing was timed.`);
    return "the CPU's words";
  }
  const cosine = meanCosine(tokens, await expectedTokens(model satisfies ModelName), config.hiddenSize);
  if (!(cosine >= LEAST_COSINE)) throw new Error(`${model} ${dtype} has cosine ${cosine} to f64; nothing was timed.`);
  return `cosine to f64 ${cosine.toFixed(6)}`;
}

function repeated({ data, height, width }: Pixels, images: number): Pixels {
  const all = new Float32Array(images * data.length);
  for (let i = 0; i < images; i++) all.set(data, i * data.length);
  return { data: all, images, height, width };
}

async function time(encoder: Encoder, pixels: Pixels, rounds: number): Promise<{ min: number; median: number }> {
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await encoder.encode(pixels);
    samples.push(performance.now() - start);
  }
  return { min: Math.min(...samples), median: median(samples) };
}
