/** A `.wasm` file of the package, where the runtime or the bundler imports it as a compiled module. */
declare const module: WebAssembly.Module;
export default module;
