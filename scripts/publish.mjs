/**
 * Publishes the package: `npm run release` tells what would be published, `npm run release -- --publish` does it. Both refuse until
 * package.json says where the project lives; npm's own command refuses as long as it is "private".
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root, run } from "./run.mjs";
import { stageDemo, stagePackage } from "./stage.mjs";

/** The fields that a published package must have, each an https address. */
const ADDRESSES = { repository: ({ repository }) => repository?.url ?? repository, homepage: ({ homepage }) => homepage, bugs: ({ bugs }) => bugs?.url ?? bugs };

/** The fields that package.json lacks for publishing; [] if none. */
export function missingAddresses(manifest) {
  return Object.entries(ADDRESSES).filter(([, read]) => !/^(git\+)?https:\/\/[^\s/]+\.[^\s/]+\/\S+/.test(String(read(manifest) ?? ""))).map(([name]) => name);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")), missing = missingAddresses(manifest);
  if (missing.length > 0) {
    console.error(`package.json does not say where the project lives. Set ${missing.join(", ")} there, each an https address, remove "private", and try again.`);
    process.exit(1);
  }
  if (manifest.private === true) {
    console.error('package.json is still "private". Remove that, and try again.');
    process.exit(1);
  }
  if (!existsSync(join(root, "dist/index.js"))) run(process.execPath, ["scripts/build.mjs"]);
  const dry = process.argv.includes("--publish") ? [] : ["--dry-run"];
  // The whole demo model first: the package's messages name it.
  for (const [name, stage] of [["ijepa-demo", stageDemo], ["ijepa", stagePackage]]) {
    const folder = join(root, "build/packages", name);
    await stage(folder);
    run("npm", ["publish", "--access", "public", ...dry], { cwd: folder });
  }
}
