/** The demo model on two photos, every dtype: the answer must be demo-digests.json. */
import { DTYPES, pipeline } from "../../ts-api/src/index.js";

export const PHOTOS = ["chelsea.png", "rocket.jpg"];

export async function demoDigests(threads: number, photos: readonly string[] = PHOTOS): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const dtype of DTYPES) {
    const extract = await pipeline("image-feature-extraction", undefined, { dtype, threads });
    for (const photo of photos) {
      const { numerics } = await extract(`examples/photos/${photo}`);
      digests[`${dtype} ${photo}`] = numerics.digest;
    }
    await extract.dispose();
  }
  return digests;
}
