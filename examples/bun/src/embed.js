import { pipeline } from "ijepa";

/** Prints the digests of photos. Arguments: the folder of a model, the number of threads, photos. */
async function main([model, threads, ...photos]) {
  const extract = await pipeline("image-feature-extraction", model, { threads: Number(threads) });
  for (const photo of photos) console.log((await extract(photo)).numerics.digest);
  await extract.dispose();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
