/**
 * Publishes the package: `npm run release` tells what would be published, `npm run release -- --publish` does it. Both refuse until
 * package.json says where the project lives. npm's own `npm publish` asks here first (`prepack` in package.json), and refuses too.
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

/** The reason why nothing may be published yet; undefined where there is none. */
function obstacle(manifest, isDry) {
  const missing = missingAddresses(manifest);
  if (missing.length > 0) return `package.json does not say where the project lives. Set ${missing.join(", ")} there, each an https address, and try again.`;
  if (manifest.private === true && !isDry) return 'package.json is still "private". Remove that, and try again.';
  return undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")), byNpm = process.argv.includes("--by-npm");
  // `npm pack` runs the same script.
  if (byNpm && process.env.npm_command !== "publish") process.exit(0);
  const isDry = byNpm ? process.env.npm_config_dry_run === "true" : !process.argv.includes("--publish");
  const reason = obstacle(manifest, isDry) ?? (byNpm && !isDry ? "What is published is made first: npm run release -- --publish" : undefined);
  if (reason !== undefined) {
    console.error(reason);
    process.exit(1);
  }
  if (byNpm) console.error("This is the repository. What will be published is shown by: npm run release");
  else await release(isDry);
}

async function release(isDry) {
  if (!existsSync(join(root, "dist/index.js"))) run(process.execPath, ["scripts/build.mjs"]);
  // The whole demo model first: the package's messages name it.
  for (const [name, stage] of [["ijepa-demo", stageDemo], ["ijepa", stagePackage]]) {
    const folder = join(root, "build/packages", name);
    await stage(folder);
    run("npm", ["publish", "--access", "public", ...(isDry ? ["--dry-run"] : [])], { cwd: folder });
  }
}
