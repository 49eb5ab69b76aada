import { runtime } from "#runtime";
import { attentionMap, drawMap, encodePng, IJepaError, pcaMap, pipeline, similarityMap } from "../index.js";
import type { ImageFeatureExtractionPipeline, ModelOutput, Numerics, Patch, RawImage } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, modelOptions, type Command, type KINDS, type Settings } from "./args.js";
import { UsageError } from "./exit.js";
import { modelName } from "./extract.js";
import { readImage } from "./read-image.js";
import { printable } from "./text.js";
import { warnOfUnused } from "./unused.js";

type Kind = (typeof KINDS)[number];

export const visualize: Command = {
  name: "visualize",
  usage: "IMAGE --out FILE.png [options]",
  summary: "Draw what the model sees in an image: which patches look alike to it, or where it attends",
  options: ["out", "kind", "patch", "layer", "head", ...SOURCE_OPTIONS, "dtype", "device", "threads", "revectorize", "max-pixels", "strict", "json", "help"],
  optionHelp: { out: "PNG file to write" },
  images: [1, 1],
  notes: [
    "pca: the three strongest principal components of the patch features, as red, green and blue; patches of similar colours have similar features. similarity: the cosine similarity of every patch to --patch, which is framed. attention: how much attention each patch receives; with --patch, what that patch attends to. One-colour maps run from violet (lowest) to yellow (highest).",
    "The model's grid of patches is stretched over the whole image. The longer side of the picture is at most 1024 pixels. The pixels are the same on every machine.",
  ],
  run: runVisualize,
};

/** What the picture shows. */
interface View {
  readonly kind: Kind;
  readonly patch: Patch | undefined;
  readonly map: RawImage;
}

async function runVisualize(settings: Settings, host: CliHost): Promise<number> {
  const { images, out, kind = "pca", head, patch, model, json } = settings, [file] = images, { signal } = host;
  if (out === undefined) throw new UsageError('"ijepa visualize" needs --out FILE.png. See "ijepa visualize --help".');
  if (!/\.png$/i.test(out)) throw new UsageError(`The picture cannot be written to ${JSON.stringify(out)}; its name must end in .png.`);
  if (head !== undefined && kind !== "attention") throw new UsageError("--head is for --kind attention.");
  if (patch !== undefined && kind === "pca") throw new UsageError("--patch is for --kind similarity and attention.");
  await host.checkWritable(out);
  const photo = await readImage(file, settings, host);
  const extract = await openModel(settings, signal);
  try {
    await warnOfUnused(extract.model, host);
    const { view, numerics } = await look(extract, photo, { ...settings, kind }, signal);
    const picture = drawMap(photo, view.map, { patch: view.patch });
    await runtime.writeFile(out, await encodePng(picture));
    const { width, height } = picture;
    const document = { file, out, kind, patch: view.patch, width, height, model: modelName(model), numerics };
    await host.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${printable(out)}: ${kind} of ${printable(file)}, ${width}x${height}\n`);
    return 0;
  } finally {
    await extract.dispose();
  }
}

async function look(
  { model, processor }: ImageFeatureExtractionPipeline,
  photo: RawImage,
  { kind, patch, layer, head }: Settings & { kind: Kind },
  signal: AbortSignal,
): Promise<{ view: View; numerics: Numerics }> {
  const { gridWidth: columns, gridHeight: rows, numHiddenLayers: layers, numAttentionHeads: heads } = model.config;
  if (layer !== undefined && layer > layers) throw beyond("layer", layer, layers);
  if (head !== undefined && head > heads) throw beyond("head", head, heads);
  const attends = kind === "attention";
  const output = await model.forward(processor.preprocess(photo), { signal, outputAttentions: attends, outputHiddenStates: !attends && layer !== undefined });
  const { numerics } = output;
  if (attends) {
    const map = attentionMap(output.attentions![(layer ?? layers) - 1], columns, { patch, head: head === undefined ? undefined : head - 1 });
    return { view: { kind, patch, map }, numerics };
  }
  const features = featuresOf(output, layer);
  if (kind === "pca") return { view: { kind, patch: undefined, map: pcaMap(features, columns) }, numerics };
  const chosen = patch ?? ([Math.floor(columns / 2), Math.floor(rows / 2)] as const);
  return { view: { kind, patch: chosen, map: similarityMap(features, columns, chosen) }, numerics };
}

/** @param layer from 1; the first of `hiddenStates` is the embedding */
function featuresOf({ lastHiddenState, hiddenStates }: ModelOutput, layer: number | undefined): ModelOutput["lastHiddenState"] {
  return layer === undefined ? lastHiddenState : hiddenStates![layer];
}

async function openModel(settings: Settings, signal: AbortSignal): Promise<ImageFeatureExtractionPipeline> {
  return pipeline("image-feature-extraction", settings.model, { ...modelOptions(settings), signal });
}

function beyond(name: string, value: number, count: number): IJepaError {
  return new IJepaError("input/value", `--${name} must be from 1 to ${count}, as many as the model has, not ${value}.`, { name, value });
}
