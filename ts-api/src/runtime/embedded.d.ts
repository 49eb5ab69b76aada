/** What the build makes of files of the package (rollup.config.js): WebAssembly deflated and in base64, programs of threads as they are. */
declare module "#embedded/*" {
  const content: string;
  export default content;
}
