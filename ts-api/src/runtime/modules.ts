/** Where WebAssembly modules come from: from the caller, or from the files of the package. */
import { IJepaError } from "../core/errors.js";
import { WASM_MODULES, type Runtime, type WasmModuleName } from "./env.js";

/** By name: a compiled module, or the address of its file. */
export type WasmModules = Partial<Record<WasmModuleName, WebAssembly.Module | URL | string>>;

const given = new Map<WasmModuleName, WebAssembly.Module | URL | string>();
const compiled = new Map<WasmModuleName, Promise<WebAssembly.Module>>();

/**
 * Hands modules over, for hosts where the library cannot find its own: bundlers that do not carry `.wasm` files along, runtimes
 * that refuse to compile, pages that serve them from elsewhere. Call it before the first model is loaded or image decoded; a
 * module that is not named is still looked for in the package.
 *
 * @throws TypeError for a name that is none of the package's modules, or a value that is neither a module nor an address
 */
export function setWasmModules(modules: WasmModules): void {
  for (const [name, source] of Object.entries(modules) as [WasmModuleName, WebAssembly.Module | URL | string][]) {
    if (!WASM_MODULES.includes(name)) throw new TypeError(`There is no module ${JSON.stringify(name)}; there is ${WASM_MODULES.join(", ")}.`);
    if (typeof source !== "string" && !(source instanceof URL) && !(source instanceof WebAssembly.Module)) {
      throw new TypeError(`The module ${name} must be a WebAssembly.Module or the URL of one.`);
    }
    given.set(name, source);
    compiled.delete(name);
  }
}

/** What was handed over, for a thread that has to know it too: compiled modules, and addresses as text. */
export function givenWasmModules(): WasmModules {
  return Object.fromEntries([...given].map(([name, source]) => [name, source instanceof URL ? source.href : source]));
}

/** The `wasmModule` of a runtime, from how it loads the package's own. Each is loaded once; after a failure, again. */
export function wasmModules(load: (name: WasmModuleName) => Promise<WebAssembly.Module>): Runtime["wasmModule"] {
  return (name) => {
    const known = compiled.get(name);
    if (known !== undefined) return known;
    const source = given.get(name);
    const module = source === undefined ? load(name) : source instanceof WebAssembly.Module ? Promise.resolve(source) : fetchModule(source);
    compiled.set(name, module);
    module.catch(() => compiled.delete(name));
    return module;
  };
}

/** Downloads and compiles a module. */
export async function fetchModule(url: URL | string): Promise<WebAssembly.Module> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw missingModule(url, cause instanceof Error ? cause.message : String(cause), cause);
  });
  if (!response.ok) throw missingModule(url, `the server answers ${response.status} ${response.statusText}`.trimEnd());
  // Only a response of this type may be compiled while it arrives.
  if (response.headers.get("content-type") === "application/wasm") return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** The error for a module that cannot be had. */
export function missingModule(where: URL | string, reason: string, cause?: unknown): IJepaError<"io/read"> {
  const message =
    `Cannot load the WebAssembly module ${String(where)}: ${reason}. ` +
    "The package keeps its modules in dist/wasm: serve them beside its code, or hand them over with setWasmModules.";
  return new IJepaError("io/read", message, { path: String(where) }, cause === undefined ? undefined : { cause });
}
