/** From the images of a command line to their features, for several commands. */
import { isIJepaError, pipeline } from "../index.js";
import type { Features, ImageFeatureExtractionPipeline, Numerics, ProgressInfo, RawImage } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { displayUrl } from "../weights/sources/url.js";
import { modelOptions, type Settings } from "./args.js";
import { reportFailure } from "./exit.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { readImage } from "./read-image.js";
import { lastPart } from "./text.js";
import { warnOfUnused } from "./unused-tensors.js";

/** Name of the package's model in messages and results. */
const DEFAULT_MODEL = "demo";

export interface ImageResult {
  /** The image as the user named it. */
  readonly file: string;
  /** Its pixels, upright. */
  readonly width: number;
  readonly height: number;
  /** Shape of its features: [tokens, width], or pooled [width]. */
  readonly dims: readonly number[];
  /** Time for resizing, normalizing and encoding; reading and decoding are not in it. */
  readonly milliseconds: number;
  readonly numerics: Numerics;
  /** Of a damaged file: what is wrong with it. */
  readonly warnings?: readonly string[];
}

export interface Extraction {
  readonly results: readonly ImageResult[];
  /** The features of each result, if they were to be kept. */
  readonly features: readonly Features[];
  /** Description of the device; undefined if every image failed. */
  readonly deviceDescription: string | undefined;
  /** 0, or the exit code of the first image that failed. */
  readonly exitCode: number;
}

/**
 * Extracts the features of one image after the other. An image that cannot be read is reported on stderr and left out; any
 * other failure is thrown. The model is loaded once the first image is there.
 *
 * @param keep keep the features of all images in memory
 */
export async function extractImages(settings: Settings, host: CliHost, keep: boolean): Promise<Extraction> {
  const { images, pool = "none", normalize, json } = settings;
  const { signal } = host;
  const bar = images.length > 1 ? new ProgressBar(host.stderr) : undefined;
  const results: ImageResult[] = [];
  const features: Features[] = [];
  let extract: ImageFeatureExtractionPipeline | undefined;
  let exitCode = 0;
  try {
    for (const [index, file] of images.entries()) {
      bar?.show(index, images.length, file);
      let image: RawImage;
      try {
        image = await readImage(file, settings, host);
      } catch (error) {
        if (!isIJepaError(error) || error.code === "aborted") throw error;
        bar?.clear();
        const failed = await reportFailure(host, error, { json, file });
        if (exitCode === 0) exitCode = failed;
        continue;
      }
      extract ??= await openModel(settings, host, bar);
      bar?.show(index, images.length, file);
      const start = performance.now();
      const output = await extract(image, { pool, normalize, signal });
      const milliseconds = Number((performance.now() - start).toFixed(3));
      const { width, height, warnings = [] } = image;
      const damage = warnings.length === 0 ? {} : { warnings };
      results.push({ file, width, height, dims: output.dims.slice(1), milliseconds, numerics: output.numerics, ...damage });
      if (keep) features.push(output);
    }
    return { results, features, deviceDescription: extract?.model.deviceDescription, exitCode };
  } finally {
    bar?.clear();
    await extract?.dispose();
  }
}

/** The model as results name it: without the secrets that a URL may hold. */
export function modelName(ref: string | undefined): string {
  if (ref === undefined) return DEFAULT_MODEL;
  return /^https?:/i.test(ref) && URL.canParse(ref) ? displayUrl(ref) : ref;
}

/** The last folder of a path, which is enough to tell models apart; a URL as it is. */
export function shortName(model: string): string {
  return model.includes("://") ? model : (lastPart(model) ?? model);
}

/** The JSON document that --json prints. */
export function toJson(settings: Settings, { results, deviceDescription }: Extraction, similarity: number | undefined): string {
  const { pool = "none" } = settings;
  const document = { model: modelName(settings.model), deviceDescription, pool, images: results, cosineSimilarity: similarity };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** @param bar shows the parts of the model; a download has a bar of its own */
async function openModel(settings: Settings, host: CliHost, bar: ProgressBar | undefined): Promise<ImageFeatureExtractionPipeline> {
  const { model } = settings, { signal, stderr } = host;
  const download = new ProgressBar(stderr), showDownload = showDownloads(download);
  const show = (info: ProgressInfo): void => {
    if (info.file === undefined) bar?.show(info.loaded, info.total, `loading ${modelName(model)}`);
    else showDownload(info);
  };
  try {
    const extract = await pipeline("image-feature-extraction", model, { ...modelOptions(settings), signal, progress_callback: show });
    download.clear();
    await warnOfUnused(extract.model, host);
    return extract;
  } finally {
    download.clear();
  }
}
