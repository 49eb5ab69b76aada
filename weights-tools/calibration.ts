/** From a folder of images to the pixels of a calibration run. */
import { runtime } from "#runtime";
import { IJepaError, isIJepaError } from "../ts-api/src/core/errors.js";
import { isImage } from "../ts-api/src/image/decode.js";
import { loadImage } from "../ts-api/src/image/source.js";
import { lookedAt, type ImageList } from "../ts-api/src/calibrate/calibration-images.js";
import { processorOf } from "../ts-api/src/pipelines/processor.js";
import type { Checkpoint } from "../ts-api/src/weights/checkpoint.js";
import { listDigest, sha256, type CalibrationInfo, type TensorDigest } from "../ts-api/src/weights/safetensors/packed-files.js";
import { readRange } from "../ts-api/src/weights/sources/bytes.js";

/** Enough to tell the kind of an image. */
const HEAD_BYTES = 64;

/** The images of a calibration. */
export interface Calibration extends CalibrationInfo {
  /** Names of the files that were used, in order. */
  names: string[];
  /** Files that are not images, or cannot be read: the reason, one sentence each. */
  leftOut: string[];
}

/**
 * Chooses the images of a folder, in order of their names: all, or MAX_IMAGES at equal distances.
 * @throws IJepaError `input/value` without a folder or an image in it, `io/read`, `aborted`
 */
export async function openCalibration(folder: string, checkpoint: Checkpoint, signal: AbortSignal | undefined): Promise<{ calibration: Calibration; images: ImageList }> {
  const { config, preprocessorConfig } = checkpoint, pathOf = (name: string) => `${folder}/${name}`;
  const processor = await processorOf({ config, preprocessorConfig, dispose: async () => undefined });
  const { names: candidates, leftOut } = await candidatesIn(folder, signal);
  const names: string[] = [], digests: TensorDigest[] = [];
  for (const number of lookedAt(candidates.length)) {
    const name = candidates[number], bytes = await readBytes(pathOf(name), Infinity, signal);
    try {
      await loadImage(bytes, { source: pathOf(name), signal });
    } catch (error) {
      if (!isIJepaError(error) || !error.code.startsWith("image/")) throw error;
      leftOut.push(error.message);
      continue;
    }
    names.push(name);
    digests.push({ name, digest: await sha256(bytes) });
  }
  if (names.length === 0) throw refused(folder, `There is no image in ${folder} to calibrate with. Put PNG, JPEG or WebP files there.`);
  return {
    calibration: { images: names.length, digest: await listDigest(digests), names, leftOut },
    images: {
      count: names.length,
      async read(index) {
        const { data, dims: [images, , height, width] } = processor.preprocess(await loadImage(pathOf(names[index]), { signal })).pixelValues;
        return { data, images, height, width };
      },
    },
  };
}

/** @throws IJepaError `input/value`, which the command reports as a usage error */
export function refused(folder: string, message: string): IJepaError<"input/value"> {
  return new IJepaError("input/value", message, { name: "calibrate", value: folder });
}

/** Files that begin like an image. Subfolders are not read. */
async function candidatesIn(folder: string, signal: AbortSignal | undefined): Promise<{ names: string[]; leftOut: string[] }> {
  const { files } = runtime, names: string[] = [], leftOut: string[] = [];
  if (files === undefined) throw refused(folder, `Cannot calibrate with ${folder}: ${runtime.name} has no folders.`);
  if ((await files.stat(folder))?.kind !== "folder") throw refused(folder, `There is no folder ${folder} to calibrate with.`);
  for (const name of (await files.list(folder)).sort()) {
    const path = `${folder}/${name}`;
    if ((await files.stat(path))?.kind !== "file") continue;
    if (isImage(await readBytes(path, HEAD_BYTES, signal))) names.push(name);
    else leftOut.push(`${path} is not a PNG, JPEG or WebP image.`);
  }
  return { names, leftOut };
}

async function readBytes(path: string, most: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const file = await runtime.openFile(path);
  try {
    return await readRange(file, 0, Math.min(file.size, most), signal);
  } finally {
    await file.close();
  }
}
