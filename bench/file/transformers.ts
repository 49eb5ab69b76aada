/** transformers.js in Node: sharp decodes and resizes, onnxruntime-node computes, q4 at accuracy level 4, its fastest. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { onnxFile } from "../peers/main.js";
import { kept, recipeConfig, type ModelName } from "../support/models.js";
import type { Way } from "./main.js";

const requirePeer = createRequire(resolve("bench/peers/package.json"));

interface Sharp {
  (input: string | { create: object }): Sharp;
  composite(layers: readonly object[]): Sharp;
  jpeg(options: { quality: number }): Sharp;
  toFile(path: string): Promise<unknown>;
  concurrency(threads: number): number;
}

interface RawImage {
  rgb(): RawImage;
}

interface Transformers {
  env: { version: string; allowRemoteModels: boolean; localModelPath: string };
  RawImage: { fromBlob(blob: Blob): Promise<RawImage> };
  AutoProcessor: { from_pretrained(name: string): Promise<(image: RawImage) => Promise<{ pixel_values: unknown }>> };
  AutoModel: {
    from_pretrained(name: string, options: object): Promise<{ (inputs: object): Promise<{ last_hidden_state: { mean(axis: number): unknown } }>; dispose(): Promise<unknown> }>;
  };
}

/** A JPEG full of detail: a photo of the repository side by side, in quality 90. Made once. */
export function photoFile(width: number, height: number): Promise<string> {
  return kept(`photo-${width}x${height}.jpg`, async (path) => {
    const sharp = requirePeer("sharp") as Sharp, create = { width, height, channels: 3, background: "black" };
    await sharp({ create }).composite([{ input: "examples/photos/rocket.jpg", tile: true }]).jpeg({ quality: 90 }).toFile(path);
  });
}

export async function openTransformers(name: ModelName, threads = 1): Promise<Way> {
  (requirePeer("sharp") as Sharp).concurrency(threads);
  const entry = requirePeer.resolve("@huggingface/transformers");
  const { AutoModel, AutoProcessor, env, RawImage } = (await import(pathToFileURL(entry).href)) as Transformers;
  const folder = await modelFolder(name);
  env.allowRemoteModels = false;
  env.localModelPath = dirname(folder);
  const reference = folder.slice(dirname(folder).length + 1);
  const processor = await AutoProcessor.from_pretrained(reference);
  const session_options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: "sequential" };
  const model = await AutoModel.from_pretrained(reference, { dtype: "q4", device: "cpu", session_options });
  return {
    name: `transformers.js ${env.version}, sharp, onnxruntime-node`,
    decode: async (bytes) => (await RawImage.fromBlob(new Blob([bytes.slice()]))).rgb(),
    process: (image) => processor(image as RawImage),
    encode: async (inputs) => (await model(inputs as object)).last_hidden_state.mean(1),
    close: async () => void (await model.dispose()),
  };
}

/** The ONNX file in the layout that transformers.js looks for. */
async function modelFolder(name: ModelName): Promise<string> {
  const file = await onnxFile(name, "q4-level4");
  return kept(`${name}-transformers`, async (folder) => {
    mkdirSync(join(folder, "onnx"), { recursive: true });
    copyFileSync(file, join(folder, "onnx/model_q4.onnx"));
    const config = recipeConfig(name), size = { height: config.imageHeight, width: config.imageWidth };
    writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config.toJSON(), model_type: "ijepa" }));
    const demo = JSON.parse(readFileSync("models/demo/preprocessor_config.json", "utf8")) as Record<string, unknown>;
    writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify({ ...demo, size }));
  });
}
