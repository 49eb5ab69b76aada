/**
 * Cosine similarity of every pair of images: node examples/node/embed.mjs IMAGE IMAGE...
 *
 * Run it after `npm run quickstart`. IJEPA_MODEL names another model folder.
 */
import { basename } from "node:path";
import { cosineSimilarity, isIJepaError, pipeline } from "ijepa";

const images = process.argv.slice(2);
if (images.length === 0) {
  console.error("Usage: node examples/node/embed.mjs IMAGE IMAGE...");
  process.exit(2);
}

const extract = await pipeline("image-feature-extraction", process.env.IJEPA_MODEL, { dtype: "bf16" });
try {
  const features = await extract(images, { pool: "mean" });
  const width = Math.max(...images.map((image) => basename(image).length));
  console.log(" ".repeat(width), ...images.map((_, i) => String(i + 1).padStart(7)));
  features.forEach((a, i) => {
    console.log(basename(images[i]).padEnd(width), ...features.map((b) => cosineSimilarity(a, b).toFixed(4).padStart(7)));
  });
} catch (error) {
  if (!isIJepaError(error)) throw error;
  console.error(`${error.message} [${error.code}]`);
  process.exitCode = 1;
} finally {
  await extract.dispose();
}
