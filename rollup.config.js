/** The package: one chunk shared by the library and the command, dependencies left outside. */
const external = [/^node:/, "fflate", /^@jsquash\//, "hono", "@hono/node-server"];

export default {
  input: {
    index: "build/ts-api/src/index.js",
    server: "build/ts-api/src/server/index.js",
    cli: "build/ts-api/src/cli/main.js",
    thread: "build/ts-api/src/runtime/node-thread.js",
  },
  external,
  plugins: [
    {
      name: "runtime",
      /** The runtime that `#runtime` names in this build. */
      resolveId: (id) => (id === "#runtime" ? new URL("build/ts-api/src/runtime/node.js", import.meta.url).pathname : null),
    },
  ],
  output: { dir: "dist", format: "es", sourcemap: true, chunkFileNames: "chunks/[name].js", entryFileNames: "[name].js" },
};
