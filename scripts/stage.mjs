/**
 * Makes the two packages that are published from the repository and its build: `ijepa`, with the demo model's weights in bf16, and
 * `ijepa-demo`, the whole demo model.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { globSync } from "./glob.mjs";
import { root } from "./run.mjs";

const MODEL = "models/demo", DEMO = "ijepa-demo";
/** What the package's users read. The pages about the code stay in the repository. */
const PAGES = ["README.md", "CHANGELOG.md", "SECURITY.md", "docs/guides", "docs"];
const ABOUT_THE_CODE = ["docs/adding-an-op.md", "docs/architecture.md", "docs/fuzzing.md", "docs/page.md"];
/** Fields of package.json that mean something in the repository only. */
const OF_THE_REPOSITORY = ["scripts", "publishConfig", "devDependencies", "overrides", "imports", "files"];
const ADDRESSES = ["repository", "homepage", "bugs"];

const readManifest = () => JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const writeManifest = (folder, manifest) => writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 1)}\n`);

/** Makes the package `ijepa` in a folder, which is emptied. */
export async function stagePackage(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true });
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  writeManifest(folder, Object.fromEntries(Object.entries(readManifest()).filter(([field]) => !OF_THE_REPOSITORY.includes(field))));
  await stageModel(join(folder, MODEL));
  const pages = PAGES.flatMap((page) => (page.endsWith(".md") ? [page] : readdirSync(join(root, page)).filter((name) => name.endsWith(".md")).map((name) => `${page}/${name}`)));
  for (const page of pages.filter((page) => !ABOUT_THE_CODE.includes(page))) {
    mkdirSync(dirname(join(folder, page)), { recursive: true });
    copyFileSync(join(root, page), join(folder, page));
  }
  for (const page of globSync(folder, ".md")) writeFileSync(page, withoutDeadLinks(readFileSync(page, "utf8"), dirname(page)));
}

/** Makes the package `ijepa-demo` in a folder, which is emptied. */
export function stageDemo(folder) {
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(root, MODEL), folder, { recursive: true });
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  const manifest = readManifest(), own = { name: DEMO, version: manifest.version, description: "The demo model of ijepa, whole: f32 weights, from which every dtype can be made.", license: manifest.license };
  const shared = ["private", ...ADDRESSES].filter((field) => manifest[field] !== undefined).map((field) => [field, manifest[field]]);
  writeManifest(folder, { ...own, ...Object.fromEntries(shared) });
}

/** The demo model with the weights that the default dtype computes with: half the bytes, the same bits in every result. */
async function stageModel(folder) {
  mkdirSync(dirname(folder), { recursive: true });
  const { convertModel } = await import(pathToFileURL(join(root, "dist/weights-tools.js")).href);
  await convertModel(join(root, MODEL), folder, { dtype: "bf16" });
  addMetadata(join(folder, "model.safetensors"), { "ijepa.original": `the npm package ${DEMO}` });
  copyFileSync(join(root, MODEL, "digests.json"), join(folder, "digests.json"));
}

/** Adds to the header's `__metadata__` of a safetensors file: eight bytes of length, JSON padded with spaces, tensors. */
function addMetadata(path, more) {
  const bytes = readFileSync(path), end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, end).toString("utf8"));
  const text = JSON.stringify({ ...header, __metadata__: { ...header.__metadata__, ...more } });
  const json = Buffer.from(text + " ".repeat(63 - ((Buffer.byteLength(text) + 8 + 63) % 64))), length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, bytes.subarray(end)]));
}

/**
 * A page for the package: text between `<!-- repository -->` and `<!-- /repository -->` and missing pictures are removed, and a link to a
 * missing file becomes its text.
 */
function withoutDeadLinks(text, folder) {
  const leadsSomewhere = (target) => /^(https?:|mailto:|#)/.test(target) || existsSync(join(folder, posix.normalize(target.split("#")[0])));
  return text
    .replace(/<!-- repository -->\n[^]*?<!-- \/repository -->\n+/g, "")
    .replace(/!\[[^\]]*\]\(([^)\s]+)\)\n*/g, (all, target) => (leadsSomewhere(target) ? all : ""))
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, (all, words, target) => (leadsSomewhere(target) ? all : words));
}
