import { pipeline } from "ijepa";

// "?photo=cat.jpg" takes a photo of this site, "?threads=2" that many threads.
const { searchParams } = new URL(location.href);
const threads = Number(searchParams.get("threads") ?? 1);
/** What public/ has lies below the site's `base`. */
const base = new URL(import.meta.env.BASE_URL.replace(/\/*$/, "/"), location.href);
let extractor;

/** The model, loaded at the first photo. After a failure the next photo tries again. */
function load() {
  // `npm run model` puts the model of the package there. Any other lies in a folder, or on the Hub, in the same way.
  extractor ??= pipeline("image-feature-extraction", new URL("model", base).href, { threads }).catch((error) => {
    extractor = undefined;
    throw error;
  });
  return extractor;
}

async function show(photo) {
  const output = document.querySelector("output");
  try {
    const extract = await load();
    const { numerics } = await extract(photo);
    output.value = numerics.digest;
  } catch (error) {
    output.value = `${error.message} [${error.code}]`;
  }
}

document.querySelector("input").addEventListener("change", async ({ target }) => show(await target.files[0].arrayBuffer()));
if (searchParams.has("photo")) void show(new URL(searchParams.get("photo"), base).href);
