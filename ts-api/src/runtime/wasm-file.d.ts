/** A `.wasm` file as an ES module of workerd and of bundlers. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
