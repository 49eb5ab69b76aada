/**
 * The modules that the build makes of files of the package (rollup.config.js): WebAssembly deflated and in base64, programs of threads
 * unchanged.
 */
declare module "#embedded/*" {
  const content: string;
  export default content;
}
