/** From a file to its feature, one image on one core: where the time goes, beside transformers.js with sharp and onnxruntime-node. */
import { readFileSync } from "node:fs";
import { decodeImage } from "../../ts-api/src/image/decode.js";
import { IJepaImageProcessor } from "../../ts-api/src/image/processor.js";
import { IJepaModel } from "../../ts-api/src/model/model.js";
import { meanPool } from "../../ts-api/src/model/pooling.js";
import { runtime } from "#runtime";
import { race, type Contestant } from "../support/measure.js";
import { recipeFolder } from "../support/models.js";
import { digits, table } from "../support/table.js";
import { openTransformers, photoFile } from "./transformers.js";

export interface FileOptions {
  rounds: number;
}

/** Steps of a way from file to feature; each takes what the one before gave. */
export interface Way {
  name: string;
  decode(bytes: Uint8Array): Promise<unknown>;
  process(image: unknown): Promise<unknown>;
  encode(pixels: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** 12 megapixels, as phones make them. */
const WIDTH = 4000, HEIGHT = 3000;

export async function benchFile({ rounds }: FileOptions): Promise<void> {
  const bytes = new Uint8Array(readFileSync(await photoFile(WIDTH, HEIGHT)));
  const ways = [await openOurs(false), ...(runtime.revectorizedModule === undefined ? [] : [await openOurs(true)]), await openTransformers("vitb16")];
  const contestants: Contestant[] = [];
  for (const way of ways) {
    const image = await way.decode(bytes), pixels = await way.process(image);
    contestants.push(
      { name: `${way.name}: decode`, run: async () => void (await way.decode(bytes)) },
      { name: `${way.name}: resize, normalize`, run: async () => void (await way.process(image)) },
      { name: `${way.name}: encode`, run: async () => void (await way.encode(pixels)) },
      { name: `${way.name}: file to feature`, run: async () => void (await way.encode(await way.process(await way.decode(bytes)))) },
    );
  }
  const timings = await race(contestants, { rounds, sampleMs: 0 });
  const peers = timings.slice(-4);
  const rows = timings.map(({ name, min, median }, i) => {
    const peer = peers[i % 4];
    return [name, digits(min), digits(median), (min / peer.min).toFixed(2), (median / peer.median).toFixed(2)];
  });
  console.log(`\nJPEG of ${WIDTH} x ${HEIGHT}, ${bytes.length} bytes, to the pooled feature of vitb16 in int4; one thread\n`);
  console.log(table(["step", "min ms", "median ms", "min : peer", "median : peer"], rows));
  for (const way of ways) await way.close();
}

async function openOurs(revectorize: boolean): Promise<Way> {
  const model = await IJepaModel.fromPretrained(await recipeFolder("vitb16"), { dtype: "int4", device: "wasm", threads: 1, revectorize });
  const { imageHeight: height, imageWidth: width } = model.config, processor = new IJepaImageProcessor({ size: { height, width } });
  return {
    name: revectorize ? "ijepa, 256 bits" : "ijepa",
    decode: (bytes) => decodeImage(bytes),
    process: async (image) => processor.preprocess(image as Awaited<ReturnType<typeof decodeImage>>),
    encode: async (pixels) => meanPool((await model.forward(pixels as ReturnType<IJepaImageProcessor["preprocess"]>)).lastHiddenState),
    close: () => model.dispose(),
  };
}
