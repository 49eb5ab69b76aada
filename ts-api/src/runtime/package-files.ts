/**
 * The files of the package that a program needs at run time, twice: as addresses in the one form that bundlers and tracers follow, and as
 * copies in JavaScript modules, which every bundler includes. The addresses lead from build/; the build of the package makes them lead
 * from dist/ (rollup.config.js).
 */
import type { WasmModuleName } from "./env.js";

export const MODULE_FILES: Record<WasmModuleName, () => URL> = {
  "kernels-simd128": () => new URL("../../../../dist/wasm/kernels-simd128.wasm", import.meta.url),
  "kernels-simd128-shared": () => new URL("../../../../dist/wasm/kernels-simd128-shared.wasm", import.meta.url),
  "kernels-relaxed": () => new URL("../../../../dist/wasm/kernels-relaxed.wasm", import.meta.url),
  "kernels-relaxed-shared": () => new URL("../../../../dist/wasm/kernels-relaxed-shared.wasm", import.meta.url),
  quantizer: () => new URL("../../../../dist/wasm/quantizer.wasm", import.meta.url),
  resizer: () => new URL("../../../../dist/wasm/resizer.wasm", import.meta.url),
  scanner: () => new URL("../../../../dist/wasm/scanner.wasm", import.meta.url),
  "jpeg-decoder": () => new URL("../../../../dist/wasm/jpeg-decoder.wasm", import.meta.url),
  "webp-decoder": () => new URL("../../../../dist/wasm/webp-decoder.wasm", import.meta.url),
};

/** The same modules, deflated, in base64. */
export const MODULE_COPIES: Record<WasmModuleName, () => Promise<{ default: string }>> = {
  "kernels-simd128": () => import("#embedded/kernels-simd128"),
  "kernels-simd128-shared": () => import("#embedded/kernels-simd128-shared"),
  "kernels-relaxed": () => import("#embedded/kernels-relaxed"),
  "kernels-relaxed-shared": () => import("#embedded/kernels-relaxed-shared"),
  quantizer: () => import("#embedded/quantizer"),
  resizer: () => import("#embedded/resizer"),
  scanner: () => import("#embedded/scanner"),
  "jpeg-decoder": () => import("#embedded/jpeg-decoder"),
  "webp-decoder": () => import("#embedded/webp-decoder"),
};

/**
 * The folder of the demo model, as a URL; undefined if bundling has removed the code's address. Bundlers cannot copy a folder, so this is
 * not in the form that they follow.
 */
export function demoModel(): string | undefined {
  const address: string | undefined = import.meta.url;
  return address === undefined || !URL.canParse(address) ? undefined : new URL(["../../../../models", "demo"].join("/"), address).href;
}
