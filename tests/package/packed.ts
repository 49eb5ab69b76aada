/** The package as its users get it: packed by npm, and installed into an empty folder. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const PHOTOS = ["chelsea.png", "rocket.jpg"];

/** A path, or what it is under a condition. */
export type Target = string | { [condition: string]: Target };
export type Exports = Record<string, Target>;

export interface Installed {
  /** A folder with node_modules/ijepa, the photos, the programs of tests/package/programs, and examples/worker. */
  folder: string;
  exports: Exports;
}

/** npm's words where there is no network and nothing in its cache. */
const OFFLINE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED)\b/;

/** Packs the package into a new folder; the folder and the tarball in it. */
export function packPackage(): { folder: string; tarball: string } {
  const folder = mkdtempSync(join(tmpdir(), "ijepa-packed-"));
  npm(process.cwd(), "pack", "--silent", "--pack-destination", folder);
  return { folder, tarball: join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz"))!) };
}

/** Packs and installs; "NOT RUN: ..." where npm has no network and an empty cache. */
export function installPackage(): Installed | string {
  const { folder, tarball } = packPackage();
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  try {
    npm(folder, "install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", tarball);
  } catch (error) {
    rmSync(folder, { recursive: true });
    if (error instanceof Error && OFFLINE.test(error.message)) return `NOT RUN: npm cannot install the dependencies: ${error.message}`;
    throw error;
  }
  cpSync("tests/package/programs", folder, { recursive: true });
  cpSync("examples/worker", join(folder, "worker"), { recursive: true });
  for (const photo of PHOTOS) cpSync(`examples/photos/${photo}`, join(folder, photo));
  const manifest = JSON.parse(readFileSync(join(folder, "node_modules/ijepa/package.json"), "utf8")) as { exports: Exports };
  return { folder, exports: manifest.exports };
}

/** The file that an entry of the package is under these conditions, as resolvers find it: the first of its conditions that is one. */
export function entryFile(exports: Exports, entry: string, ...conditions: string[]): string {
  let target = exports[entry];
  while (typeof target !== "string") target = Object.entries(target).find(([condition]) => condition === "default" || conditions.includes(condition))![1];
  return target;
}

function npm(cwd: string, ...args: string[]): void {
  const shell = process.platform === "win32";
  const { status, stderr, error } = spawnSync("npm", [...args, "--ignore-scripts"], { cwd, shell, encoding: "utf8" });
  if (status !== 0) throw new Error(`npm ${args[0]}: ${error?.message ?? stderr}`);
}
