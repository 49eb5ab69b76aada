/**
 * The conformance cases and the demo model on whatever WebGPU a runtime has. It names no runtime and no test framework, so that
 * Deno and browsers run the compiled file as it is; deno.ts and page.ts start it.
 */
import { attest, runProbe } from "../../../ts-api/src/backends/attest.js";
import type { Tier } from "../../../ts-api/src/backends/webgpu/pipelines.js";
import { openWebgpu, type WebgpuBackend } from "../../../ts-api/src/backends/webgpu/webgpu.js";
import { digestOf, DTYPES } from "../../../ts-api/src/core/numerics.js";
import { IJepaConfig } from "../../../ts-api/src/config/config.js";
import { Encoder } from "../../../ts-api/src/encoder/encoder.js";
import { loadEncoder } from "../../../ts-api/src/encoder/place-weights.js";
import { packParts } from "../../../ts-api/src/loading/pack-checkpoint.js";
import { setWasmModules } from "../../../ts-api/src/runtime/modules.js";
import { toFloat32 } from "../../../ts-api/src/weights/dtypes.js";
import { openSafetensors } from "../../../ts-api/src/weights/safetensors/reader.js";
import { bytesSource } from "../../../ts-api/src/weights/sources/bytes.js";
import { ALL_CASES, CHAINS } from "../../conformance/cases.js";
import { shadersFor } from "../../conformance/webgpu-shaders.js";

export interface SuiteHost {
  gpu: GPU;
  /** A file of the repository. */
  readFile(path: string): Promise<Uint8Array>;
  /** Which kernels: with fast sums, with pinned ones, or both. */
  tiers: readonly Tier[];
}

export interface SuiteReport {
  device: string;
  /** Case runs, by kernel and tier. */
  ran: Record<string, number>;
  /** Runs whose words are not those of digests.txt: "tier kernel case". */
  wrong: string[];
  /** By tier: null, or the first probe that failed. */
  attested: Record<string, string | null>;
  /** SHA-256 of the demo model's output: "dtype photo". */
  digests: Record<string, string>;
}

const PHOTOS = ["chelsea.png", "rocket.jpg"];

export async function runSuite({ gpu, readFile, tiers }: SuiteHost): Promise<SuiteReport> {
  const report: SuiteReport = { device: "", ran: {}, wrong: [], attested: {}, digests: {} };
  const text = async (path: string) => new TextDecoder().decode(await readFile(path));
  const stored = new Map((await text("tests/conformance/digests.txt")).trim().split("\n").map((line) => line.split(" ") as [string, string]));
  for (const tier of tiers) {
    let kernel: string | undefined;
    const backend = await openWebgpu({ gpu, tier, allow: (name) => kernel === undefined || name === kernel });
    report.device = backend.device;
    for (const testCase of [...ALL_CASES, ...CHAINS]) {
      for (const { name } of shadersFor(testCase).filter(({ feature }) => feature === undefined || gpu.wgslLanguageFeatures.has(feature))) {
        kernel = name;
        const digest = await runProbe(backend, testCase);
        report.ran[`${tier} ${name}`] = (report.ran[`${tier} ${name}`] ?? 0) + 1;
        if (!stored.get(testCase.id)?.startsWith(digest)) report.wrong.push(`${tier} ${name} ${testCase.id}`);
      }
    }
    kernel = undefined;
    report.attested[tier] = (await attest(backend)) ?? null;
    if (tier === "fast" && report.attested[tier] === null) Object.assign(report.digests, await demoDigests(backend, readFile));
    backend.dispose();
  }
  return report;
}

async function demoDigests(backend: WebgpuBackend, readFile: SuiteHost["readFile"]): Promise<Record<string, string>> {
  const config = IJepaConfig.fromJSON(JSON.parse(new TextDecoder().decode(await readFile("models/demo/config.json"))));
  const open = async (path: string) => {
    const file = await openSafetensors(bytesSource(path, await readFile(path)));
    return async (name: string) => {
      const info = file.tensors.get(name)!;
      return toFloat32(await file.readTensor(info), info.dtype);
    };
  };
  const weights = await open("models/demo/model.safetensors"), photos = await open("tests/goldens/demo/photos.safetensors");
  setWasmModules({ quantizer: await WebAssembly.compile((await readFile("dist/wasm/quantizer.wasm")).slice()) });
  const digests: Record<string, string> = {};
  for (const dtype of DTYPES) {
    const parts = packParts(config, dtype, weights, undefined, { backend });
    const encoder = new Encoder(backend, config, dtype, await loadEncoder(backend, parts), async () => {});
    for (const photo of PHOTOS) {
      const data = await photos(`${photo.split(".")[0]}.in.pixel_values`);
      const { lastHiddenState } = await encoder.encode({ data, images: 1, height: config.imageHeight, width: config.imageWidth });
      digests[`${dtype} ${photo}`] = await digestOf(lastHiddenState);
    }
  }
  return digests;
}
