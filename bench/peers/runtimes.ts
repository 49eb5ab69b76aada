/** The peers, as far as the bench uses them; installed in bench/peers, so that the product never depends on them. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { INPUT, OUTPUT } from "./graph.js";

export interface Peer {
  name: string;
  /** Pixels [1][channels][height][width] to tokens [tokens][hidden]. */
  run(pixels: Float32Array, dims: readonly number[]): Promise<Float32Array>;
  close(): Promise<void>;
}

interface OrtTensor {
  data: Float32Array;
}

interface OrtSession {
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** The part of onnxruntime-common that both packages share. */
interface Ort {
  env: { wasm: { numThreads?: number }; logLevel?: string };
  Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OrtTensor;
  InferenceSession: { create(model: Uint8Array | string, options: Record<string, unknown>): Promise<OrtSession> };
}

const requirePeer = createRequire(resolve("bench/peers/package.json"));

/** onnxruntime-web on its WebAssembly provider, one thread. */
export async function openWebPeer(model: string, format: string): Promise<Peer> {
  const ort = requirePeer("onnxruntime-web") as Ort;
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(readFileSync(model), { executionProviders: ["wasm"] });
  return peerOf(ort, session, `onnxruntime-web ${versionOf("onnxruntime-web")} ${format}`);
}

/** onnxruntime-node on its CPU provider, one thread; undefined where it is not installed. */
export async function openNodePeer(model: string, format: string): Promise<Peer | undefined> {
  let ort: Ort;
  try {
    ort = requirePeer("onnxruntime-node") as Ort;
  } catch (error) {
    console.log(`onnxruntime-node cannot be loaded here and is left out: ${String(error)}`);
    return undefined;
  }
  const options = { executionProviders: ["cpu"], intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential" };
  const session = await ort.InferenceSession.create(model, options);
  return peerOf(ort, session, `onnxruntime-node ${versionOf("onnxruntime-node")} ${format}`);
}

function peerOf(ort: Ort, session: OrtSession, name: string): Peer {
  return {
    name,
    run: async (pixels, dims) => (await session.run({ [INPUT]: new ort.Tensor("float32", pixels, dims) }))[OUTPUT].data,
    close: () => session.release(),
  };
}

function versionOf(name: string): string {
  return (JSON.parse(readFileSync(`bench/peers/node_modules/${name}/package.json`, "utf8")) as { version: string }).version;
}
