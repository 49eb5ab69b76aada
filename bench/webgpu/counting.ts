/** Counts the dispatches and bytes of a program on a GPU. */
import type { Backend } from "../../ts-api/src/backends/backend.js";
import type { Step, WebgpuBackend } from "../../ts-api/src/backends/webgpu/webgpu.js";
import type { DeviceTensor } from "../../ts-api/src/ops/contract.js";
import { readsOf, resultBytes, resultsOf, workOf } from "../../ts-api/src/ops/table.js";

/** The cost of one run of a program on the device. */
export interface ProgramCost {
  /** Kernels, in order. */
  kernels: string[];
  operations: number;
  /** Of tensors that are read, and of results that are written, each once a dispatch. */
  bytes: number;
}

/** The backend, and the cost of each program compiled on it. */
export function counting(backend: WebgpuBackend): { backend: Backend; programs: ProgramCost[] } {
  const programs: ProgramCost[] = [];
  return {
    programs,
    backend: {
      ...backend,
      async compile(calls) {
        const program = await backend.compile(calls), steps = backend.stepsOf(program);
        programs.push({
          kernels: steps.map(({ kernel }) => kernel),
          operations: calls.reduce((sum, call) => sum + workOf(call).operations, 0),
          bytes: steps.reduce((sum, step) => sum + bytesOf(step), 0),
        });
        return program;
      },
    },
  };
}

/** Tensors between two fused calls are not moved. */
function bytesOf({ calls }: Step): number {
  const made = new Set<DeviceTensor>();
  let bytes = 0;
  for (const [i, call] of calls.entries()) {
    for (const tensor of readsOf(call)) bytes += made.has(tensor) ? 0 : tensor.bytes;
    for (const result of resultsOf(call)) {
      made.add(result.tensor);
      const passedOn = calls.slice(i + 1).some((later) => readsOf(later).includes(result.tensor));
      bytes += passedOn ? 0 : resultBytes(result);
    }
  }
  return bytes;
}
