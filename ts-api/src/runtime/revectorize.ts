/**
 * Compiles a kernel module with vectors of 256 bits: V8 can combine two of 128 (flag --experimental-wasm-revectorize, x86-64 with AVX2).
 * The flag belongs to the process, so it is set for one synchronous compilation by the optimising compiler and then reset.
 */
import { setFlagsFromString } from "node:v8";
import type { KernelModuleName, Runtime } from "./env.js";

/**
 * Major versions of Node whose V8 compiles every kernel this way, as tested. Node 22 packs too few instructions. Others may end the
 * process with a fatal error, which nothing can catch: V8 14.1 (Node 25) without its inlining feedback, 14.6 (Node 26) at a pack of
 * F32x4Pmax.
 */
const NODES: readonly number[] = [24];
const FLAGS = [
  ["--experimental-wasm-revectorize", "--no-experimental-wasm-revectorize"],
  ["--no-liftoff", "--liftoff"],
  ["--no-wasm-lazy-compilation", "--wasm-lazy-compilation"],
] as const;
/** A custom section without content: engines compile the same bytes only once, and would return the module that they have. */
const MARK = customSection("revectorized");

/** `revectorizedModule` of a runtime that has the bytes of its modules; undefined if the engine cannot do it. Compiles each once. */
export function revectorizer(load: (name: KernelModuleName) => Promise<Uint8Array>): Runtime["revectorizedModule"] {
  const { bun, deno, node } = process.versions;
  if (bun !== undefined || deno !== undefined || process.arch !== "x64" || !NODES.includes(parseInt(node))) return undefined;
  const compiled = new Map<KernelModuleName, WebAssembly.Module>();
  return async (name) => {
    const module = compiled.get(name) ?? compile(await load(name));
    compiled.set(name, module);
    return module;
  };
}

function compile(bytes: Uint8Array): WebAssembly.Module {
  const marked = new Uint8Array(bytes.length + MARK.length);
  marked.set(bytes);
  marked.set(MARK, bytes.length);
  // A flag that the user has set is kept.
  const flags = FLAGS.filter(([set]) => !process.execArgv.includes(set));
  try {
    for (const [set] of flags) setFlagsFromString(set);
    return new WebAssembly.Module(marked);
  } finally {
    for (const [, unset] of flags) setFlagsFromString(unset);
  }
}

function customSection(name: string): Uint8Array {
  const text = new TextEncoder().encode(name);
  return Uint8Array.of(0, text.length + 1, text.length, ...text);
}
