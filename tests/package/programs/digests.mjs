/** In Node, Bun and Deno: prints the digests of the demo model as JSON. Arguments: the number of threads, dtypes joined by commas, photos. */
import { pipeline } from "ijepa";

const [threads, dtypes, ...photos] = process.argv.slice(2);
const digests = {};
for (const dtype of dtypes.split(",")) {
  const extract = await pipeline("image-feature-extraction", undefined, { dtype, threads: Number(threads) });
  for (const photo of photos) digests[`${dtype} ${photo}`] = (await extract(photo)).numerics.digest;
  await extract.dispose();
}
console.log(JSON.stringify(digests));
