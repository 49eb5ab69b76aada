/** Times all models in an engine, in a page or a process. It imports nothing of an engine, so that all of them can load it. */
import type { IJepaModel, Tensor } from "../../ts-api/src/index.js";
import { gaussArray } from "../../tests/support/random.js";

export type TimedDtype = "int4" | "int8" | "bf16" | "fp32";

export interface Peer {
  /** What it is called in the table. */
  name: string;
  /** An ONNX file of the same network. */
  file: string;
  /** The dtype that it is near. */
  beside: TimedDtype;
}

export interface Job {
  /** Each is a contestant. */
  dtypes: readonly TimedDtype[];
  rounds: number;
  /** A folder's path or address. */
  model: string;
  peers: readonly Peer[];
}

export interface Times {
  name: string;
  /** Milliseconds of each image. */
  samples: number[];
}

export interface Report {
  /** Of each dtype. */
  devices: Partial<Record<TimedDtype, string>>;
  digests: Partial<Record<TimedDtype, string>>;
  /** Ours by dtype, then the peers by name. */
  times: Times[];
  /** Peers that do not run in this engine, and why. */
  absent: Record<string, string>;
}

interface Session {
  run(feeds: Record<string, unknown>): Promise<Record<string, { data: Float32Array }>>;
}

/** The part of onnxruntime-web that is used. */
export interface Ort {
  env: { wasm: { numThreads?: number; wasmPaths?: string } };
  Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => unknown;
  InferenceSession: { create(model: Uint8Array, options: Record<string, unknown>): Promise<Session> };
}

export interface Host {
  library: { IJepaModel: typeof IJepaModel; Tensor: typeof Tensor };
  ort(): Promise<Ort>;
  read(file: string): Promise<Uint8Array>;
}

/** Passes before the clock counts: the engine compiles. */
const WARM_UP = 3;
/** Least cosine of a peer's tokens to ours, all of them taken as one vector: bench/peers looks closer. */
const LEAST_COSINE = 0.99;

/** One thread, one image, in turn. Throws where a peer computes another network. */
export async function timeEngine(host: Host, { dtypes, rounds, model: folder, peers }: Job): Promise<Report> {
  const { IJepaModel, Tensor } = host.library, report: Report = { devices: {}, digests: {}, times: [], absent: {} };
  const contestants: { name: string; run(): Promise<unknown> }[] = [], tokens = new Map<TimedDtype, Float32Array>(), models: IJepaModel[] = [];
  let data: Float32Array = new Float32Array(), dims: number[] = [];
  for (const dtype of dtypes) {
    const model = await IJepaModel.fromPretrained(folder, { dtype, device: "wasm", threads: 1 });
    models.push(model);
    const { numChannels, imageHeight, imageWidth } = model.config;
    dims = [1, numChannels, imageHeight, imageWidth];
    data = gaussArray("pixel_values", numChannels * imageHeight * imageWidth);
    const pixelValues = new Tensor("float32", data, dims), { lastHiddenState, numerics } = await model.forward({ pixelValues });
    tokens.set(dtype, lastHiddenState.data);
    report.devices[dtype] = model.deviceDescription;
    report.digests[dtype] = numerics.digest;
    contestants.push({ name: dtype, run: () => model.forward({ pixelValues }) });
  }
  for (const { name, file, beside } of peers) {
    try {
      const ort = await host.ort();
      ort.env.wasm.numThreads = 1;
      const session = await ort.InferenceSession.create(await host.read(file), { executionProviders: ["wasm"] });
      const run = async () => Object.values(await session.run({ pixel_values: new ort.Tensor("float32", data, dims) }))[0].data;
      const likeness = cosine(await run(), tokens.get(beside)!);
      if (!(likeness > LEAST_COSINE)) throw new Error(`its tokens have cosine ${likeness} to our ${beside}`);
      contestants.push({ name, run });
    } catch (error) {
      report.absent[name] = String(error);
    }
  }
  report.times = contestants.map(({ name }): Times => ({ name, samples: [] }));
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const [i, contestant] of contestants.entries()) {
      const start = performance.now();
      await contestant.run();
      if (round >= 0) report.times[i].samples.push(performance.now() - start);
    }
  }
  for (const model of models) await model.dispose();
  return report;
}

function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
  }
  return dot / Math.sqrt(aa * bb);
}
