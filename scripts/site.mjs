/**
 * Builds one static folder that any host serves, build/site: the guides and the API by TypeDoc, and the page of examples/browser below
 * try/. Needs no network once docs/site is installed.
 */
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./run.mjs";
import { installLocked } from "./setup.mjs";

const tools = join(root, "docs/site"), site = join(root, "build/site");
/** What the page loads, at the places that its addresses name. */
const PAGE = ["examples/browser", "examples/photos", "dist/browser", "dist/vendor", "dist/wasm", "models/demo"];
/** Threads need these two headers. Netlify and Cloudflare Pages read this file; elsewhere the page's service worker sets them. */
const HEADERS = "/try/*\n  Cross-Origin-Opener-Policy: same-origin\n  Cross-Origin-Embedder-Policy: require-corp\n";

installLocked(tools);
if (!existsSync(join(root, "dist/browser/index.js"))) run(process.execPath, ["scripts/build.mjs"]);
rmSync(site, { recursive: true, force: true });
run(process.execPath, [join(tools, "node_modules/typedoc/bin/typedoc"), "--options", join(tools, "typedoc.json"), "--out", site, ...process.argv.slice(2)]);
for (const folder of PAGE) {
  mkdirSync(join(site, "try", folder), { recursive: true });
  cpSync(join(root, folder), join(site, "try", folder), { recursive: true });
}
writeFileSync(join(site, "_headers"), HEADERS);
console.log(`The site is in ${site}; serve it with any static server.`);
