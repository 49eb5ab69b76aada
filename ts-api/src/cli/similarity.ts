/** `ijepa similarity`: images in, the cosine of every pair out. */
import { cosineSimilarity } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, type Command, type Settings } from "./args.js";
import { extractImages, toJson } from "./extract.js";

export const similarity: Command = {
  name: "similarity",
  usage: "IMAGE IMAGE [options]",
  summary: "Print the cosine similarity of two images, from -1 to 1",
  options: [...SOURCE_OPTIONS, "dtype", "device", "threads", "revectorize", "max-pixels", "strict", "timeout", "json", "help"],
  images: [2, 2],
  notes: [
    "The similarity is that of their mean-pooled features. Images that cannot be read are reported on stderr, and nothing is printed on stdout.",
  ],
  run: runSimilarity,
};

async function runSimilarity(settings: Settings, host: CliHost): Promise<number> {
  const pooled: Settings = { ...settings, pool: "mean" };
  const extraction = await extractImages(pooled, host, true);
  if (extraction.exitCode !== 0) return extraction.exitCode;
  const [a, b] = extraction.features;
  const cosine = cosineSimilarity(a, b);
  await host.stdout.write(settings.json ? toJson(pooled, extraction, cosine) : `${cosine.toFixed(6)}\n`);
  return 0;
}
