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

/**
 * onnxruntime-web on its WebAssembly provider and onnxruntime-node, where it is installed, on its CPU provider.
 * @param models paths of ONNX files, by their weights' format
 */
export async function openPeers(models: ReadonlyMap<string, string>, threads: number): Promise<Peer[]> {
  // They share one registry, in which the first to take the name "cpu" keeps it: the native one must come first.
  const native = loadNative(), peers: Peer[] = [];
  const web = requirePeer("onnxruntime-web") as Ort;
  web.env.wasm.numThreads = threads;
  for (const [format, model] of models) {
    const session = await web.InferenceSession.create(readFileSync(model), { executionProviders: ["wasm"] });
    peers.push(peerOf(web, session, `onnxruntime-web ${versionOf("onnxruntime-web")} ${format}`));
  }
  if (native === undefined) return peers;
  const options = { executionProviders: ["cpu"], intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: "sequential" };
  for (const [format, model] of models) {
    peers.push(peerOf(native, await native.InferenceSession.create(model, options), `onnxruntime-node ${versionOf("onnxruntime-node")} ${format}`));
  }
  return peers;
}

function loadNative(): Ort | undefined {
  try {
    return requirePeer("onnxruntime-node") as Ort;
  } catch (error) {
    console.log(`onnxruntime-node cannot be loaded here and is left out: ${String(error)}`);
    return undefined;
  }
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
