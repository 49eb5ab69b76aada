/**
 * The suite as a program for Deno, with the tiers as arguments: prints the report as JSON, or {"absent": why}. Run from the
 * repository's root.
 */
import type { Tier } from "../../../ts-api/src/backends/webgpu/pipelines.js";
import { runSuite } from "./suite.js";

interface DenoHost {
  args: string[];
  readFile(path: string): Promise<Uint8Array>;
}

const { Deno, navigator } = globalThis as unknown as { Deno: DenoHost; navigator: { gpu?: GPU } };
const adapter = await navigator.gpu?.requestAdapter();
if (navigator.gpu === undefined || adapter === null) console.log(JSON.stringify({ absent: "Deno has no WebGPU adapter here" }));
else console.log(JSON.stringify(await runSuite({ gpu: navigator.gpu, readFile: (path) => Deno.readFile(path), tiers: Deno.args as Tier[] })));
