/** The suite in a browser: the compiled files as they are, the repository served beside them. */
import { runSuite, type SuiteReport } from "./suite.js";

export async function runPage(): Promise<SuiteReport | { absent: string }> {
  if (!("gpu" in navigator) || (await navigator.gpu.requestAdapter()) === null) return { absent: "the browser has no WebGPU adapter" };
  const readFile = async (path: string) => new Uint8Array(await (await fetch(`/${path}`)).arrayBuffer());
  return runSuite({ gpu: navigator.gpu, readFile, tiers: ["fast", "pinned"] });
}
