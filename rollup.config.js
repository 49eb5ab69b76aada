/**
 * The package: for each kind of host the entries of package.json's `exports`, which differ in what they compute on. Node's builds
 * leave the dependencies outside; browsers and Workers have no node_modules, so theirs find them in dist/vendor.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = dirname(fileURLToPath(import.meta.url));
const built = join(root, "build/ts-api/src");
const require = createRequire(import.meta.url);

const NOBLE = join(dirname(require.resolve("@noble/hashes/sha2")), "esm");
/**
 * Dependencies as the library names them, and their files for browsers. The library itself loads them only when an image or the Hub needs
 * them.
 */
const VENDOR = {
  "@jsquash/jpeg/codec/dec/mozjpeg_dec.js": require.resolve("@jsquash/jpeg/codec/dec/mozjpeg_dec.js"),
  "@jsquash/webp/codec/dec/webp_dec.js": require.resolve("@jsquash/webp/codec/dec/webp_dec.js"),
  "@noble/hashes/legacy": join(NOBLE, "legacy.js"),
  "@noble/hashes/sha2": join(NOBLE, "sha2.js"),
  hono: join(root, "node_modules/hono/dist/index.js"),
  "hono/cors": join(root, "node_modules/hono/dist/middleware/cors/index.js"),
  pako: join(dirname(require.resolve("pako/package.json")), "dist/browser/pako.esm.min.mjs"),
};
const vendorName = (id) => id.split("/").at(-1).replace(/\.js$/, "");

/** The files that `#runtime` and `#devices` name in this build. */
function host(runtime, devices) {
  const files = { "#runtime": join(built, `runtime/${runtime}.js`), "#devices": join(built, `backends/${devices}.js`) };
  return { name: "host", resolveId: (id) => files[id] ?? null };
}

/** Dependencies and `.wasm` files where dist has them, one folder up. */
const besides = {
  name: "besides",
  resolveId(id) {
    if (id in VENDOR) return { id: `../vendor/${vendorName(id)}.js`, external: true };
    return id.endsWith(".wasm") ? { id, external: true } : null;
  },
};

/** Without comments: what travels to browsers and Workers is small. dist has the readable code. */
const bare = {
  name: "bare",
  renderChunk: (code) => ts.transpileModule(code, { compilerOptions: { target: "ESNext", module: "ESNext", removeComments: true } }).outputText,
};

/** A browser could not resolve what is left. */
function onwarn(warning) {
  throw new Error(warning.message);
}

/** One entry for one kind of host; several programs of one build share their code, and what is loaded late is beside it. */
function build(runtime, devices, dir, input, { plugins = [besides], chunks = `${Object.keys(input)[0]}-[name].js`, ...rest } = {}) {
  const programs = Object.fromEntries(Object.entries(input).map(([name, file]) => [name, join(built, file)]));
  const output = { dir, format: "es", chunkFileNames: chunks, sourcemap: dir === "dist" };
  return { input: programs, plugins: [host(runtime, devices), ...plugins, ...(dir === "dist" ? [] : [bare])], output, onwarn, ...rest };
}

const both = { index: "index.js", server: "server/index.js" };
const forNode = { plugins: [], external: [/^node:/, /^[\w@]/] };

export default [
  build("node", "devices", "dist", { ...both, "weights-tools": "../../weights-tools/index.js", cli: "cli/main.js", thread: "threads/node.js", decoder: "threads/node-decoder.js" }, { ...forNode, chunks: "chunks/[name].js" }),
  build("node", "devices-wasm", "dist/node", { wasm: "index.js" }, forNode),
  build("node", "devices-webgpu", "dist/node", { webgpu: "index.js" }, forNode),
  build("browser", "devices", "dist/browser", { ...both, thread: "threads/browser.js", decoder: "threads/browser-decoder.js" }),
  build("browser", "devices-wasm", "dist/browser", { wasm: "index.js" }),
  build("browser", "devices-webgpu", "dist/browser", { webgpu: "index.js" }),
  // Workers have no WebGPU.
  build("workerd", "devices-wasm", "dist/workerd", both),
  {
    input: Object.fromEntries(Object.entries(VENDOR).map(([id, file]) => [vendorName(id), file])),
    plugins: [{ name: "web", resolveId: (id) => (id === "@noble/hashes/crypto" ? join(NOBLE, "crypto.js") : null) }],
    output: { dir: "dist/vendor", format: "es" },
  },
];
