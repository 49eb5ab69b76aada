/** The kernel modules that this engine can compile. */
import { runtime } from "#runtime";
import type { KernelModuleName } from "../../ts-api/src/runtime/env.js";

export interface NamedModule {
  name: string;
  module: WebAssembly.Module;
}

/**
 * The kernel modules that this engine compiles: simd128 everywhere, relaxed where relaxed SIMD is standard, and that once more with
 * vectors of 256 bits where the engine can make them.
 */
export async function modulesHere(): Promise<NamedModule[]> {
  return compileThose(["kernels-simd128", "kernels-relaxed"]);
}

/** The same for several threads. */
export async function sharedModulesHere(): Promise<NamedModule[]> {
  return compileThose(["kernels-simd128-shared", "kernels-relaxed-shared"]);
}

async function compileThose([plain, relaxed]: [KernelModuleName, KernelModuleName]): Promise<NamedModule[]> {
  const modules = [{ name: plain.replace("kernels-", ""), module: await runtime.wasmModule(plain) }];
  const second = await runtime.wasmModule(relaxed).catch((error: unknown) => {
    if (error instanceof WebAssembly.CompileError) return undefined;
    throw error;
  });
  if (second !== undefined) modules.push({ name: relaxed.replace("kernels-", ""), module: second });
  const { revectorizedModule } = runtime;
  if (revectorizedModule !== undefined) modules.push({ name: relaxed.replace("kernels-relaxed", "revectorized"), module: await revectorizedModule(relaxed) });
  return modules;
}
