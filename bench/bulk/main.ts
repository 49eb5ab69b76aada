/**
 * Many photos to features: how near the bulk pipeline comes to what the processors can do, beside transformers.js. With D and E the
 * images a second of decoding alone and of encoding alone, each on all cores, nothing is faster than 1 / (1 / D + 1 / E).
 */
import { readFileSync } from "node:fs";
import { runtime } from "#runtime";
import { embedImages } from "../../ts-api/src/bulk/embed.js";
import { Tensor } from "../../ts-api/src/core/tensor.js";
import { DecodePool } from "../../ts-api/src/decoding/pool.js";
import { IJepaImageProcessor } from "../../ts-api/src/image/processor.js";
import { IJepaModel } from "../../ts-api/src/model/model.js";
import { openTransformers, photoFile } from "../file/transformers.js";
import { median } from "../support/measure.js";
import { recipeFolder } from "../support/models.js";
import { digits, table } from "../support/table.js";

export interface BulkBenchOptions {
  rounds: number;
  revectorize: boolean;
}

/** 12 megapixels, as phones make them. */
const WIDTH = 4000, HEIGHT = 3000;
const IMAGES = 32;
const BATCH = 4;

export async function benchBulk({ rounds, revectorize }: BulkBenchOptions): Promise<void> {
  const file = await photoFile(WIDTH, HEIGHT), bytes = new Uint8Array(readFileSync(file)), threads = runtime.cores;
  const model = await IJepaModel.fromPretrained(await recipeFolder("vitb16"), { dtype: "int4", device: "wasm", threads, revectorize });
  const { imageHeight: height, imageWidth: width } = model.config, processor = new IJepaImageProcessor({ size: { height, width } });
  const decoders = new DecodePool({ threads }), peer = await openTransformers("vitb16", threads);
  const { pixelValues: { data, dims } } = await decoders.prepare(bytes, processor);
  const batch = new Float32Array(BATCH * data.length);
  for (let i = 0; i < BATCH; i++) batch.set(data, i * data.length);
  const pixelValues = new Tensor("float32", batch, [BATCH, ...dims.slice(1)]);

  const ways = {
    decode: () => Promise.all(Array.from({ length: IMAGES }, () => decoders.prepare(bytes, processor))),
    async encode() {
      for (let i = 0; i < IMAGES; i += BATCH) await model.forward({ pixelValues });
    },
    async bulk() {
      for await (const { kind } of embedImages({ model, processor }, new Array<string>(IMAGES).fill(file), { decoders })) {
        if (kind !== "row") throw new Error("An image failed; nothing was timed.");
      }
    },
    /** The next photo is decoded while one is encoded. */
    async peer() {
      const prepare = async () => peer.process(await peer.decode(bytes));
      for (let i = 0, next = prepare(); i < IMAGES; i++) {
        const ready = await next;
        if (i + 1 < IMAGES) next = prepare();
        await peer.encode(ready);
      }
    },
  };
  type Way = keyof typeof ways;
  const names = Object.keys(ways) as Way[], rates = new Map<Way, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const start = performance.now();
      await ways[name]();
      // The first round warms up.
      if (round > 0) rates.get(name)!.push((1000 * IMAGES) / (performance.now() - start));
    }
  }
  const limits = rates.get("decode")!.map((d, i) => 1 / (1 / d + 1 / rates.get("encode")![i]));
  const ratio = (way: Way) => median(rates.get(way)!.map((rate, i) => rate / limits[i]));
  const row = (name: string, values: readonly number[], share: string) => [name, digits(Math.max(...values)), digits(median(values)), share];
  console.log(`\n${IMAGES} JPEGs of ${WIDTH} x ${HEIGHT}, ${bytes.length} bytes each, to pooled features of vitb16 in int4; ${model.deviceDescription}, ${decoders.threads} decode threads\n`);
  console.log(table(["images a second", "best", "median", "of the limit, median"], [
    row("D: decoding and resizing alone", rates.get("decode")!, ""),
    row("E: encoding alone", rates.get("encode")!, ""),
    row("limit, 1 / (1 / D + 1 / E)", limits, "1"),
    row("embedImages", rates.get("bulk")!, ratio("bulk").toFixed(3)),
    row(peer.name, rates.get("peer")!, ratio("peer").toFixed(3)),
  ]));
  await decoders.close();
  await model.dispose();
  await peer.close();
}
