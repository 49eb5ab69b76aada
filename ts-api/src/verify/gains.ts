/**
 * From what a machine has to the options that would make it faster, with measured ratios: ViT-B/16, one photo at a time
 * (docs/performance.md).
 */
import type { Dtype } from "../core/numerics.js";

/** An option that is available on this machine, and its gain. */
export interface Gain {
  /** What to do, in words. */
  readonly option: string;
  /** How many times as fast a model in that weight format becomes; empty where it has not been measured. */
  readonly ratio: Readonly<Partial<Record<Dtype, number>>>;
}

/** How many times as long as Node 24 each engine takes. */
export const ENGINES: readonly { readonly engine: string; readonly name: RegExp; readonly ratio: Gain["ratio"] }[] = [
  { engine: "Node 20", name: /^node 20\b/, ratio: { int4: 1.8, int8: 1.08, bf16: 1.22 } },
  { engine: "Node 22", name: /^node 22\b/, ratio: { int4: 1.1, int8: 1.07, bf16: 1.01 } },
  { engine: "Bun", name: /^bun\b/, ratio: { int4: 1.09, int8: 1.06, bf16: 1.11 } },
  { engine: "Deno", name: /^deno\b/, ratio: { int4: 1.16, int8: 1.18, bf16: 1.05 } },
];
export const WIDE: Gain["ratio"] = { int4: 1.67, int8: 1.75, bf16: 1.42 };
export const TWO_THREADS: Gain["ratio"] = { int4: 1.8, bf16: 1.9 };
export const INT4: Gain["ratio"] = { bf16: 2.2 }, INT8: Gain["ratio"] = { bf16: 1.36 };

/** The facts about the machine. */
interface Machine {
  /** The engine and its version. */
  readonly runtime: string;
  readonly cores: number;
  /** Whether threads can be started. */
  readonly threads: boolean;
  /** Whether kernels of 256 bits are available. */
  readonly revectorized: boolean;
  /** Whether there is a GPU that gives the right bits. */
  readonly gpu: boolean;
}

/** The available options, the largest gain first; options that were not measured come last. */
export function gainsOf({ runtime, cores, threads, revectorized, gpu }: Machine): Gain[] {
  const engine = ENGINES.find(({ name }) => name.test(runtime));
  const gains: Gain[] = [
    { option: 'dtype "int4" instead of "bf16"', ratio: INT4 },
    { option: 'dtype "int8" instead of "bf16"', ratio: INT8 },
  ];
  if (engine !== undefined) gains.push({ option: `Node 24 instead of ${engine.engine}`, ratio: engine.ratio });
  if (threads && cores > 1) gains.push({ option: cores === 2 ? 'threads "auto"' : `threads "auto": two of ${cores}, more were not measured`, ratio: TWO_THREADS });
  if (revectorized) gains.push({ option: 'revectorize "auto", which the command uses by itself', ratio: WIDE });
  if (gpu) gains.push({ option: 'device "webgpu"', ratio: {} });
  const best = ({ ratio }: Gain) => Math.max(0, ...Object.values(ratio));
  return gains.sort((a, b) => best(b) - best(a));
}
