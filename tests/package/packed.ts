/** The package as its users get it: packed by npm, and installed into an empty folder. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

export const PHOTOS = ["chelsea.png", "rocket.jpg"];

/** A path, or what it is under a condition. */
export type Target = string | { [condition: string]: Target };
export type Exports = Record<string, Target>;

export interface Installed {
  /** A folder with node_modules/ijepa, the photos, the programs of tests/package/programs, and examples/worker. */
  folder: string;
  exports: Exports;
  /** Puts ijepa-demo beside it. */
  addDemo(): void;
}

/** npm's words where there is no network and nothing in its cache. */
const OFFLINE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED)\b/;

const script: string = pathToFileURL(resolve("scripts/stage.mjs")).href;
const { stagePackage, stageDemo } = (await import(script)) as { stagePackage(folder: string): Promise<void>; stageDemo(folder: string): void };

export interface Packed {
  /** Has both packages as folders, and the tarball. */
  folder: string;
  /** Of the package ijepa. */
  tarball: string;
  /** The package ijepa-demo, as a folder. */
  demo: string;
}

/** Makes the packages as they are published, in a new folder, and packs the first. */
export async function packPackage(): Promise<Packed> {
  const folder = mkdtempSync(join(tmpdir(), "ijepa-packed-")), demo = join(folder, "ijepa-demo");
  await stagePackage(join(folder, "ijepa"));
  stageDemo(demo);
  npm(join(folder, "ijepa"), "pack", "--silent", "--pack-destination", folder);
  return { folder, tarball: join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz"))!), demo };
}

/** Packs and installs; "not run: ..." where npm has no network and an empty cache. */
export async function installPackage(): Promise<Installed | string> {
  const { folder, tarball, demo } = await packPackage();
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  try {
    npm(folder, "install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", tarball);
  } catch (error) {
    rmSync(folder, { recursive: true });
    if (error instanceof Error && OFFLINE.test(error.message)) return `not run: npm cannot install the dependencies: ${error.message}`;
    throw error;
  }
  cpSync("tests/package/programs", folder, { recursive: true });
  cpSync("examples/worker", join(folder, "worker"), { recursive: true });
  for (const photo of PHOTOS) cpSync(`examples/photos/${photo}`, join(folder, photo));
  const manifest = JSON.parse(readFileSync(join(folder, "node_modules/ijepa/package.json"), "utf8")) as { exports: Exports };
  const addDemo = () => cpSync(demo, join(folder, "node_modules/ijepa-demo"), { recursive: true });
  return { folder, exports: manifest.exports, addDemo };
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
