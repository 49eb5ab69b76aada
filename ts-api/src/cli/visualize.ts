/** `ijepa visualize`: photos in, pictures of their features or attention out. */
import { runtime } from "#runtime";
import { drawMap, drawSheet, encodePng, pipeline } from "../index.js";
import type { ImageFeatureExtractionPipeline, ModelOutput, RawImage, RgbImage } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, modelOptions, type Command, type Settings } from "./args.js";
import { UsageError } from "./exit.js";
import { modelName } from "./extract.js";
import { ProgressBar, showDownloads } from "./progress.js";
import { readImage } from "./read-image.js";
import { lastPart, printable } from "./text.js";
import { warnOfUnused } from "./unused-tensors.js";
import { checked, viewsOfLayers, viewsOfPhotos, type Request, type Views } from "./views.js";

/** With more photos, the matrix that compares their features would be too large for memory. */
const MOST_PHOTOS = 16;
/** Longest side of a picture on a sheet of all layers. */
const SHEET_SIDE = 240;

export const visualize: Command = {
  name: "visualize",
  usage: "IMAGE... --out FILE.png [options]",
  summary: "Draw what the model sees in images: which patches look alike to it, or where it attends",
  options: [
    "out", "kind", "patch", "layer", "head", "sheet", "legend", "opacity", "size",
    ...SOURCE_OPTIONS, "dtype", "device", "threads", "revectorize", "max-pixels", "strict", "timeout", "json", "help",
  ],
  optionHelp: { out: "PNG file to write" },
  images: [1, MOST_PHOTOS],
  notes: [
    "pca: the three strongest principal components of the patch features, as red, green and blue; patches of similar colours have similar features. similarity: the cosine similarity of every patch to --patch, which is framed. attention: how much attention each patch receives; with --patch, what that patch attends to. One-colour maps run from violet (lowest) to yellow (highest).",
    `Up to ${MOST_PHOTOS} images are drawn side by side. Their colours then mean the same in all of them: components are those of all patches, and similarity is to a patch of the first image. Attention has a scale for each image.`,
    "The model's grid of patches is stretched over the whole image. The pixels are the same on every machine.",
  ],
  run: runVisualize,
};

async function runVisualize(settings: Settings, host: CliHost): Promise<number> {
  const { images, out, kind = "pca", head, patch, sheet, legend, model, json } = settings, { signal } = host;
  if (out === undefined) throw new UsageError('"ijepa visualize" needs --out FILE.png. See "ijepa visualize --help".');
  if (!/\.png$/i.test(out)) throw new UsageError(`The picture cannot be written to ${JSON.stringify(out)}; its name must end in .png.`);
  if (head !== undefined && kind !== "attention") throw new UsageError("--head is for --kind attention.");
  if (patch !== undefined && kind === "pca") throw new UsageError("--patch is for --kind similarity and attention.");
  if (sheet && images.length > 1) throw new UsageError(`--sheet takes one image, not ${images.length}.`);
  await host.checkWritable(out);
  const photos: RawImage[] = [];
  for (const file of images) photos.push(await readImage(file, settings, host));
  const extract = await openModel(settings, host);
  try {
    await warnOfUnused(extract.model, host);
    const { config } = extract.model, request = checked({ ...settings, kind }, config);
    const outputs = await look(extract, photos, request, sheet, signal);
    const views = sheet ? viewsOfLayers(outputs[0], request, config) : viewsOfPhotos(outputs, images.map((image) => lastPart(image) ?? image), request, config.gridWidth);
    const picture = draw(photos, views, settings, { hasLabels: sheet || images.length > 1, hasLegend: legend });
    await runtime.writeFile(out, await encodePng(picture));
    const { width, height } = picture, [{ numerics }] = outputs, all = images.map((file, i) => ({ file, numerics: outputs[i].numerics }));
    const which = images.length === 1 ? { file: images[0], out } : { images: all, out };
    const document = { ...which, kind, patch: request.patch, width, height, model: modelName(model), ...(images.length === 1 ? { numerics } : {}) };
    await host.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${printable(out)}: ${kind} of ${images.map(printable).join(", ")}, ${width}x${height}\n`);
    return 0;
  } finally {
    await extract.dispose();
  }
}

/** The model's output for each photo, as far as the pictures need it. */
async function look({ model, processor }: ImageFeatureExtractionPipeline, photos: readonly RawImage[], { kind, layer }: Request, sheet: boolean, signal: AbortSignal): Promise<ModelOutput[]> {
  const attends = kind === "attention", outputs: ModelOutput[] = [];
  const options = { signal, outputAttentions: attends, outputHiddenStates: !attends && (sheet || layer !== undefined) };
  for (const photo of photos) outputs.push(await model.forward(processor.preprocess(photo), options));
  return outputs;
}

function draw(photos: readonly RawImage[], { views, columns, text, scale }: Views, settings: Settings, { hasLabels, hasLegend }: { hasLabels: boolean; hasLegend: boolean }): RgbImage {
  const { opacity = 0.6, size, sheet } = settings, side = size ?? (sheet ? SHEET_SIDE : undefined);
  const cells = views.map(({ photo, map, patch, label }) => ({ picture: drawMap(photos[photo], map, { opacity, side, patch }), label: hasLabels ? label : undefined }));
  if (!hasLabels && !hasLegend) return cells[0].picture;
  return drawSheet(cells, { columns, ...(hasLegend ? { text, scale } : {}) });
}

async function openModel(settings: Settings, { signal, stderr }: CliHost): Promise<ImageFeatureExtractionPipeline> {
  const bar = new ProgressBar(stderr);
  return pipeline("image-feature-extraction", settings.model, { ...modelOptions(settings), signal, progress_callback: showDownloads(bar) }).finally(() => bar.clear());
}
