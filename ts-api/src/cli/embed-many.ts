/** `ijepa embed` for many images: into a file and resumable, or line by line. */
import { runtime } from "#runtime";
import { Collection, exportFile, exportFormat, exportNames, FeatureEncoder, indexImages, type Encoding, type ExportFileOptions } from "../collections/index.js";
import { embedImages, IJepaError, NUMERICS_VERSION, pipeline, Tensor, type BulkRow, type DecodePool } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { modelOptions, type Settings } from "./args.js";
import { exitCodeOf, report, usage, UsageError } from "./exit.js";
import { checkImages, countOfImages, imagesOf, openDecoders } from "./image-sources.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { downloadTime, warnOfDamage } from "./read-image.js";
import { countOf, namesBeside, printable } from "./text.js";
import { warnOfUnused } from "./unused-tensors.js";

export async function embedMany(settings: Settings, host: CliHost): Promise<number> {
  await checkImages(settings);
  const decoders = openDecoders(settings);
  try {
    return await (settings.out === "-" ? answerLines(settings, host, decoders) : writeFile(settings, host, decoders));
  } finally {
    await decoders.close();
  }
}

/** Prints a line for each image, in order, as soon as it is ready. */
async function answerLines(settings: Settings, host: CliHost, decoders: DecodePool): Promise<number> {
  const { pool = "none", normalize, maxPixels, strict } = settings, { signal, stdout } = host;
  const bar = new ProgressBar(host.stderr), options = { ...modelOptions(settings), signal, progress_callback: showDownloads(bar) };
  const extract = await pipeline("image-feature-extraction", settings.model, options).finally(() => bar.clear());
  let exitCode = 0;
  try {
    const { dtype, device } = extract.model;
    await warnOfUnused(extract.model, host);
    for await (const result of embedImages(extract, imagesOf(settings, host), { pool, normalize, signal, decoders, maxPixels, strict, timeout: downloadTime(settings) })) {
      if (result.kind === "row") await stdout.write(`${JSON.stringify(answerOf(result, { version: NUMERICS_VERSION, dtype, device }))}\n`);
      if (stdout.gone) break;
      if (result.kind !== "failure") continue;
      const { source: file, code, message } = result, error = { code, message, exitCode: exitCodeOf(code) };
      await stdout.write(`${JSON.stringify({ file, error })}\n`);
      exitCode ||= error.exitCode;
    }
  } finally {
    await extract.dispose();
  }
  return exitCode;
}

function answerOf({ source: file, id, bytes, width, height, dims, feature, digest, warnings }: BulkRow, numerics: object): object {
  const damage = warnings.length === 0 ? {} : { warnings };
  return { file, id, bytes, width, height, dims, embedding: new Tensor("float32", feature, dims).tolist(), numerics: { ...numerics, digest }, ...damage };
}

/** Keeps finished images in a collection beside the file, and writes the file from it at the end. */
async function writeFile(settings: Settings, host: CliHost, decoders: DecodePool): Promise<number> {
  const { out, pool, json, maxPixels, strict } = settings, { signal } = host;
  if (out === undefined) throw new UsageError("Many images need --out FILE. See \"ijepa embed --help\".");
  usage(() => exportFormat(out));
  if (pool !== "mean") throw new UsageError("Many images in one file need --pool mean. Only --out - can write the features of every token.");
  if (settings.normalize) throw new UsageError("--normalize works with --out - and with a few named images. The features of many images are stored unscaled.");
  await host.checkWritable(out);
  const bar = new ProgressBar(host.stderr), folder = `${out}.partial`, { stat } = runtime.files!, isNew = (await stat(folder)) === undefined;
  for (const path of [out, ...(/\.npy$/i.test(out) && isNew ? [namesBeside(out)] : [])]) {
    if ((await stat(path)) !== undefined) throw new IJepaError("io/write", `${path} already exists and will not be replaced. Choose another name, or remove it first.`, { path });
  }
  const encoder = await FeatureEncoder.open(settings.model, { ...modelOptions(settings), pooling: "mean", signal, progress_callback: showDownloads(bar) }).finally(() => bar.clear());
  try {
    await warnOfUnused(encoder.extractor.model, host);
    const collection = await Collection.openOrCreate(folder, encoder.encoding, { signal });
    const listed = collection.size.places === 0 ? undefined : new Set<string>();
    async function* sources() {
      for await (const source of imagesOf(settings, host)) {
        listed?.add(source.name);
        yield source;
      }
    }
    let exitCode = 0;
    const start = performance.now();
    const indexed = await indexImages(collection, encoder, sources(), {
      signal,
      decoders,
      maxPixels,
      strict,
      timeout: downloadTime(settings),
      join: false,
      total: countOfImages(settings),
      onProgress: (progress) => bar.showBulk(progress),
      onFailure: async (failure) => {
        bar.clear();
        const code = await report(host, failure, { json, file: failure.source });
        exitCode ||= code;
      },
      onWarning: async (image) => {
        bar.clear();
        await warnOfDamage(image, host);
      },
    }).finally(() => bar.clear());
    const include = listed && ((source: string) => listed.has(source)), { failed, added } = indexed, seconds = (performance.now() - start) / 1000;
    let written = indexed.added + indexed.copies + indexed.unchanged;
    // The file takes the place of the model and the decoders in memory.
    await Promise.all([decoders.close(), encoder.dispose()]);
    // A place that was named twice is one row.
    if (written > 0) await exportTo(collection, out, { include, signal, onProgress: (rows) => (written = rows) });
    await runtime.files!.removeFolder(folder);
    const summary = { out: written > 0 ? out : null, images: written, computed: added, failed, seconds: Number(seconds.toFixed(3)), encoding: encoder.encoding satisfies Encoding };
    await host.stdout.write(json ? `${JSON.stringify(summary, null, 2)}\n` : summaryText(summary));
    return exitCode;
  } finally {
    await encoder.dispose();
  }
}

async function exportTo(collection: Collection, out: string, options: ExportFileOptions): Promise<void> {
  if (/\.npy$/i.test(out)) await runtime.writeFile(namesBeside(out), exportNames(collection, { include: options.include }));
  await runtime.writeFile(out, exportFile(collection, out, options));
}

function summaryText({ out, images, failed, computed, seconds }: { out: string | null; images: number; failed: number; computed: number; seconds: number }): string {
  const rate = computed > 0 ? `, ${(computed / seconds).toFixed(1)} images a second` : "", failures = failed > 0 ? `, ${countOf(failed, "failure")}` : "";
  return `${out === null ? "nothing was written" : printable(out)}: ${countOf(images, "image")}${failures}${rate}\n`;
}
