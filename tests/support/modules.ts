import { runtime } from "#runtime";

/** The kernel modules that this engine compiles: simd128 everywhere, relaxed where relaxed SIMD is standard. */
export async function modulesHere(): Promise<{ name: string; module: WebAssembly.Module }[]> {
  const modules = [{ name: "simd128", module: await runtime.wasmModule("kernels-simd128") }];
  const relaxed = await runtime.wasmModule("kernels-relaxed").catch((error: unknown) => {
    if (error instanceof WebAssembly.CompileError) return undefined;
    throw error;
  });
  if (relaxed !== undefined) modules.push({ name: "relaxed", module: relaxed });
  return modules;
}
