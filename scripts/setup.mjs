/** Installs the packages of package-lock.json, unless they are installed already. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root, run, tryRun } from "./run.mjs";

const INSTALL = ["ci", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"];

/** `npm ci` in a folder with its own package.json; the lock it installed is noted in node_modules. */
export function installLocked(folder) {
  if (!isInstalled(folder)) run("npm", INSTALL, { cwd: folder });
  noteInstalled(folder);
}

/** The same for a test bench that may not be installable on this machine: a failure is printed, and the run continues. */
export function installBench(folder) {
  if (!isInstalled(folder) && tryRun("npm", INSTALL, { cwd: folder }) !== 0) {
    console.error(`not installed: ${folder}; what needs it will be reported as not run.`);
    return;
  }
  noteInstalled(folder);
}

function isInstalled(folder) {
  const note = noteOf(folder);
  return existsSync(note) && readFileSync(note, "utf8") === lockOf(folder);
}

function noteInstalled(folder) {
  writeFileSync(noteOf(folder), lockOf(folder));
}

function noteOf(folder) {
  return join(folder, "node_modules/.installed-lock");
}

function lockOf(folder) {
  return readFileSync(join(folder, "package-lock.json"), "utf8");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) installLocked(root);
