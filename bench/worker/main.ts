/** A large model in workerd, its layers streamed by examples/worker: memory above an idle Worker, and Node's digests. */
import { readFileSync } from "node:fs";
import { hash, seedOf } from "../../tests/support/random.js";
import type { Dtype } from "../../ts-api/src/core/numerics.js";
import { encodePng } from "../../ts-api/src/image/png-writer.js";
import { pipeline } from "../../ts-api/src/index.js";
import { convertModel } from "../../weights-tools/index.js";
import { median } from "../support/measure.js";
import { kept, recipeFolder, type ModelName } from "../support/models.js";
import { digits, table } from "../support/table.js";
import { serveStorage, type Storage } from "./storage.js";
import { startWorker, type Store } from "./workerd.js";

export interface WorkerOptions {
  /** Photos that each Worker gets, one after the other. */
  rounds: number;
  model: ModelName;
  dtypes: readonly Dtype[];
}

/** Static assets may have 25 MiB each. */
const SHARD = 24 * 2 ** 20;

const PHOTOS = {
  "rocket.jpg": () => readFileSync("examples/photos/rocket.jpg"),
  "chelsea.png": () => readFileSync("examples/photos/chelsea.png"),
  // As many pixels as examples/worker accepts.
  "noise of 1 megapixel, PNG": () => noisyPng(1000),
};

export async function benchWorker({ rounds, model, dtypes }: WorkerOptions): Promise<void> {
  if (process.platform !== "linux") throw new Error("This bench reads the memory of a process from /proc, which only Linux has.");
  const photos = await Promise.all(Object.entries(PHOTOS).map(async ([name, read]) => ({ name, bytes: await read() })));
  const rows: string[][] = [];
  for (const dtype of dtypes) {
    const folder = await kept(`${model}-${dtype}-24MiB`, async (path) => {
      await convertModel(await recipeFolder(model), path, { dtype, shardSize: SHARD });
    });
    const storage = await serveStorage(folder);
    try {
      for (const { name, bytes } of photos) {
        const expected = await digestInNode(folder, bytes);
        for (const store of ["BUCKET", "ASSETS"] as const) rows.push([`${model} ${dtype}`, name, ...(await measure(store, storage, dtype, bytes, expected, rounds))]);
        console.log(`${model} ${dtype}, ${name}: digest ${expected} in Node and in workerd`);
      }
    } finally {
      storage.close();
    }
  }
  console.log(`\n${table(["model", "photo", "store", "idle MB", "peak MB", "above idle MB", "median s", "requests a photo"], rows)}`);
}

/** The last cells of a row: a Worker of its own, first idle, then a photo several times. */
async function measure(store: Store, storage: Storage, dtype: Dtype, photo: Uint8Array, expected: string, rounds: number): Promise<string[]> {
  const worker = await startWorker(store, storage.address, { DTYPE: dtype, LAYERS: "streamed" });
  try {
    // Nothing is at this path; what every Worker takes is then there.
    await (await worker.fetch("/")).text();
    const idle = worker.resident(), seconds: number[] = [];
    worker.forgetPeak();
    storage.requests();
    for (let round = 0; round < rounds; round++) {
      const start = performance.now(), response = await worker.fetch("/embed", { method: "POST", body: photo as Uint8Array<ArrayBuffer> });
      const answer = (await response.json()) as { numerics?: { digest: string } };
      seconds.push((performance.now() - start) / 1e3);
      if (answer.numerics?.digest !== expected) throw new Error(`workerd answers ${JSON.stringify(answer)}, Node has digest ${expected}; no number is printed.`);
    }
    const peak = worker.peak();
    return [store, digits(idle), digits(peak), digits(peak - idle), digits(median(seconds)), digits(storage.requests() / rounds)];
  } finally {
    worker.close();
  }
}

async function digestInNode(folder: string, photo: Uint8Array): Promise<string> {
  const extract = await pipeline("image-feature-extraction", folder, { device: "wasm", resident: false });
  const { numerics } = await extract(photo, { pool: "mean", normalize: true });
  await extract.dispose();
  return numerics.digest;
}

/** Three of eight bits are noise, so that it compresses as a photo does. */
function noisyPng(side: number): Promise<Uint8Array> {
  const seed = seedOf("photo"), data = new Uint8Array(3 * side * side);
  for (let i = 0; i < data.length; i++) data[i] = (((i / 3) % side >> 3) & 0xf8) + (hash(seed, i) & 7);
  return encodePng({ data, width: side, height: side, channels: 3 });
}
