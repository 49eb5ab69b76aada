/** Installs what package-lock.json says, unless that is there already. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./run.mjs";

installLocked(root);

/** `npm ci` in a folder with its own package.json; the lock it installed is noted in node_modules. */
export function installLocked(folder) {
  const lock = readFileSync(join(folder, "package-lock.json"), "utf8");
  const note = join(folder, "node_modules/.installed-lock");
  if (existsSync(note) && readFileSync(note, "utf8") === lock) return;
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"], { cwd: folder });
  writeFileSync(note, lock);
}
