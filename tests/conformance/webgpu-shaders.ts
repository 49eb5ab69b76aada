/** From a case to every shader that can compute it. */
import { FUSIONS } from "../../ts-api/src/backends/webgpu/fusions.js";
import { kernelsFor, type Shader } from "../../ts-api/src/backends/webgpu/kernels.js";
import { describedCalls, type Case, type Chain } from "./case.js";

/** Every shader of the WebGPU backend that computes all of a case in one dispatch. */
export function shadersFor(testCase: Case | Chain): Shader[] {
  const [call, next] = describedCalls(testCase);
  if (next === undefined) return kernelsFor(call);
  return FUSIONS.filter((fusion) => next.op === "quantize-rows" && fusion.accepts(call, next));
}
