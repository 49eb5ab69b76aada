/** The pictures of the demo model: what one runtime draws, as SHA-256 of pixels and of PNG files. Run as a program it prints them as JSON. */
import { sha256 } from "../../ts-api/src/core/numerics.js";
import { attentionMap, drawMap, encodePng, loadImage, pcaMap, pipeline, similarityMap } from "../../ts-api/src/index.js";

/** The pixels come from our arithmetic alone; the file changes with the library that deflates it. */
export interface PictureDigests {
  readonly pixels: string;
  readonly file: string;
}

export async function pictureDigests(): Promise<Record<string, PictureDigests>> {
  const photo = await loadImage("examples/photos/rocket.jpg"), patch = [2, 5] as const;
  const { model, processor, dispose } = await pipeline("image-feature-extraction");
  const { lastHiddenState, attentions } = await model.forward(processor.preprocess(photo), { outputAttentions: true });
  const columns = model.config.gridWidth;
  const pictures = {
    pca: drawMap(photo, pcaMap(lastHiddenState, columns)),
    similarity: drawMap(photo, similarityMap(lastHiddenState, columns, patch), { patch }),
    attention: drawMap(photo, attentionMap(attentions![2], columns, { head: 1 }), { maxSide: 200 }),
  };
  await dispose();
  const digests: Record<string, PictureDigests> = {};
  for (const [name, picture] of Object.entries(pictures)) {
    digests[name] = { pixels: await sha256(picture.data), file: await sha256(await encodePng(picture)) };
  }
  return digests;
}

if (process.argv[2] === "--print") console.log(JSON.stringify(await pictureDigests()));
