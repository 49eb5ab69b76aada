/** From the name of a WebAssembly module to the compiled module: from the caller, or from the files of the package. */
import { fromBase64 } from "../core/base64.js";
import { IJepaError, isIJepaError } from "../core/errors.js";
import { didYouMean, isRecord, wrongType } from "../core/options.js";
import { messageOf } from "../core/show.js";
import { whereToLook } from "./build-tool.js";
import { WASM_MODULES, type Runtime, type WasmModuleName } from "./env.js";
import { MODULE_COPIES, MODULE_FILES } from "./package-files.js";

/** By name: a compiled module, or the address of its file. */
export type WasmModules = Partial<Record<WasmModuleName, WebAssembly.Module | URL | string>>;

/** Every WebAssembly module begins so. */
const MAGIC = [0, 0x61, 0x73, 0x6d];

const given = new Map<WasmModuleName, WebAssembly.Module | URL | string>();
const compiled = new Map<WasmModuleName, Promise<WebAssembly.Module>>();

/**
 * Passes modules to the library, for hosts where it cannot find its own: bundlers that do not copy `.wasm` files, runtimes that refuse to
 * compile, pages that serve them from elsewhere. Call it before the first model is loaded or image decoded; modules that are not named
 * are still taken from the package.
 *
 * @throws TypeError for a name that is not a module of the package, or a value that is neither a module nor an address
 */
export function setWasmModules(modules: WasmModules): void {
  if (!isRecord(modules)) throw wrongType("setWasmModules", "given an object of modules by their names", modules);
  for (const [name, source] of Object.entries(modules) as [WasmModuleName, WebAssembly.Module | URL | string][]) {
    if (!WASM_MODULES.includes(name)) throw new TypeError(`There is no module ${JSON.stringify(name)}${didYouMean(name, WASM_MODULES)}`);
    if (typeof source !== "string" && !(source instanceof URL) && !(source instanceof WebAssembly.Module)) {
      throw wrongType(`The module ${name}`, "a WebAssembly.Module or the URL of one", source);
    }
    given.set(name, source);
    compiled.delete(name);
  }
}

/** The modules that were passed, for threads: compiled modules, and addresses as text. */
export function givenWasmModules(): WasmModules {
  return Object.fromEntries([...given].map(([name, source]) => [name, source instanceof URL ? source.href : source]));
}

/** Makes the `wasmModule` of a runtime from its way of loading the package's modules. Each is loaded once; after a failure, again. */
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

/** Downloads and compiles a module. Rejects with IJepaError `io/read`, or WebAssembly.CompileError. */
export async function fetchModule(url: URL | string): Promise<WebAssembly.Module> {
  const response = await download(url);
  // Only a response of this type can be compiled while it arrives.
  if (response.headers.get("content-type") === "application/wasm") {
    // A file that is not WebAssembly fails as well. Its bytes, read once more, tell the two apart.
    return WebAssembly.compileStreaming(response).catch(async (failure: unknown) => {
      await moduleBytes(url, await download(url));
      throw failure;
    });
  }
  return WebAssembly.compile(await moduleBytes(url, response));
}

async function download(url: URL | string): Promise<Response> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw missingModule(url, messageOf(cause), cause);
  });
  if (!response.ok) throw missingModule(url, `the server answers ${response.status} ${response.statusText}`.trimEnd());
  return response;
}

async function moduleBytes(url: URL | string, response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const type = response.headers.get("content-type");
  const bytes = await response.arrayBuffer().catch((cause: unknown) => {
    throw missingModule(url, messageOf(cause), cause);
  });
  return checkedModule(url, new Uint8Array(bytes), type === null ? "" : ` of type ${type}`);
}

/**
 * Checks bytes that should be a module. Servers without the file answer with a page, and that is not a failure of the engine.
 * @param type the content type that the server sent, in words
 * @throws IJepaError `io/read` when they do not begin as WebAssembly does
 */
export function checkedModule<T extends Uint8Array>(where: URL | string, bytes: T, type = ""): T {
  if (MAGIC.every((byte, i) => bytes[i] === byte)) return bytes;
  const what = bytes.length === 0 ? "nothing" : bytes[0] === "<".charCodeAt(0) ? "a page" : "something else";
  throw missingModule(where, `the file there is ${what}${type}, not WebAssembly`);
}

/**
 * A module of the package: from its file, or if that is missing, as with bundlers that make one file, from the copy in the code. Rejects
 * with IJepaError `io/read` and the address of the file if there is neither.
 */
export async function packageModule<T>(name: WasmModuleName, fromFile: (url: URL) => Promise<T>, fromBytes: (bytes: Uint8Array<ArrayBuffer>) => T | Promise<T>): Promise<T> {
  try {
    return await fromFile(addressOf(name));
  } catch (failure) {
    if (!isIJepaError(failure, "io/read")) throw failure;
    const copy = await copyOf(name).catch(() => undefined);
    if (copy === undefined) throw failure;
    return fromBytes(copy);
  }
}

function addressOf(name: WasmModuleName): URL {
  try {
    return MODULE_FILES[name]();
  } catch (cause) {
    throw missingModule(`${name}.wasm`, "the code has no URL to find its files by", cause);
  }
}

async function copyOf(name: WasmModuleName): Promise<Uint8Array<ArrayBuffer>> {
  const { default: text } = await MODULE_COPIES[name](), { inflateRaw } = await import("pako");
  return Uint8Array.from(inflateRaw(fromBase64(text)));
}

/** The error for a module that cannot be loaded. */
export function missingModule(where: URL | string, reason: string, cause?: unknown): IJepaError<"io/read"> {
  const message =
    `Cannot load the WebAssembly module ${shown(where)}: ${reason}. The package keeps its modules in dist/wasm: serve them beside its code, ` +
    `or pass them to setWasmModules. ${whereToLook()}`;
  return new IJepaError("io/read", message, { path: shown(where) }, cause === undefined ? undefined : { cause });
}

/** An address for a message. */
function shown(where: URL | string): string {
  const text = String(where);
  return text.startsWith("data:") ? `${text.slice(0, 60)}...` : text;
}
