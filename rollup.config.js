/**
 * Builds the package: for each kind of host the entries of package.json's `exports`, which differ in the devices that they compute on.
 * Node's builds leave the dependencies outside, CommonJS only those that `require` can load; browsers and Workers have no node_modules,
 * so theirs find them in dist/vendor.
 */
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";
import { minify } from "terser";
import { globSync } from "./scripts/glob.mjs";

const root = dirname(fileURLToPath(import.meta.url));
const built = join(root, "build/ts-api/src");
const require = createRequire(import.meta.url);

const NOBLE = join(dirname(require.resolve("@noble/hashes/sha2")), "esm");
/** Dependencies as the library names them: their files for browsers, and what the library takes from them. Each is loaded only when something needs it. */
const VENDOR = {
  "@noble/hashes/legacy": { file: join(NOBLE, "legacy.js"), names: ["sha1"] },
  "@noble/hashes/sha2": { file: join(NOBLE, "sha2.js"), names: ["sha256"] },
  hyparquet: { file: join(root, "node_modules/hyparquet/src/index.js"), names: ["parquetMetadataAsync", "parquetReadObjects"] },
  "hyparquet-writer": { file: join(root, "node_modules/hyparquet-writer/src/index.js"), names: ["ByteWriter", "ParquetWriter"] },
  hono: { file: join(root, "node_modules/hono/dist/index.js"), names: ["Hono"] },
  "hono/cors": { file: join(root, "node_modules/hono/dist/middleware/cors/index.js"), names: ["cors"] },
  pako: { file: join(dirname(require.resolve("pako/package.json")), "dist/pako.mjs"), names: ["ZStream", "deflate", "inflateRaw", "zlibInflate", "zlibInflateInit"] },
};
/** Those that `require` cannot load. */
const ESM_ONLY = ["hyparquet", "hyparquet-writer"];
const vendorName = (id) => id.split("/").at(-1).replace(/\.js$/, "");

/** The compiler's files that, in the end, import `#devices`: those that an entry with devices of its own has for itself. */
const devicesUsers = (() => {
  const files = globSync(built, ".js").concat(globSync(join(root, "build/weights-tools"), ".js"));
  const imports = new Map(files.map((file) => [file, [...readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, id]) => (id.startsWith(".") ? join(dirname(file), id) : id))]));
  const users = new Set(["#devices"]);
  for (let before = 0; before !== users.size; ) {
    before = users.size;
    for (const [file, targets] of imports) if (targets.some((target) => users.has(target))) users.add(file);
  }
  return users;
})();

/** The files that `#runtime` and `#devices` name in this build. An entry `FILE?NAME` computes on backends/NAME.js, others on all that the host has. */
function host(runtime, devices = "devices") {
  return {
    name: "host",
    resolveId(id, importer) {
      if (importer === undefined) return id.includes("?") ? id : null;
      if (id === "#runtime") return join(built, `runtime/${runtime}.js`);
      const [from, own] = importer.split("?");
      if (id === "#devices") return join(built, `backends/${own ?? devices}.js`);
      const path = join(dirname(from), id);
      return own !== undefined && id.startsWith(".") && devicesUsers.has(path) ? `${path}?${own}` : null;
    },
    load: (id) => (id.includes("?") && !id.startsWith("\0") ? readFileSync(id.split("?")[0], "utf8") : null),
  };
}

/** Modules that remain separate files in dist, one folder up: copies of the package's files, `.wasm` files, and these dependencies. */
function besides(dependencies) {
  const file = (path) => ({ id: `../${path}`, external: true });
  return {
    name: "besides",
    resolveId(id) {
      if (id.startsWith("#embedded/")) return file(`embedded/${id.slice("#embedded/".length)}.js`);
      if (id in dependencies) return file(`vendor/${vendorName(id)}.js`);
      return id.endsWith(".wasm") ? { id, external: true } : null;
    },
  };
}

/** The addresses of ts-api/src/runtime lead from build/ts-api/src/runtime; every folder of programs in dist lies beside the files' folders. */
const addresses = {
  name: "addresses",
  transform: (code) => (code.includes("../../../../") ? { code: code.replaceAll('"../../../../dist/', '"../').replaceAll('"../../../../models"', '"../../models"'), map: null } : null),
};

/** Dependencies from their files for browsers. */
const web = {
  name: "web",
  resolveId(id) {
    if (id === "@noble/hashes/crypto") return join(NOBLE, "crypto.js");
    return VENDOR[id]?.file ?? (/^hyparquet\/src\/\w+\.js$/.test(id) ? join(root, "node_modules", id) : null);
  },
};

/** Minifies the builds for browsers and Workers. Class names stay, because errors show them. */
const bare = minified("bare", {});
/** Minifies the builds for Node: functions keep their names and statements their lines, so that stack traces stay readable. */
const plain = minified("plain", { keep_fnames: true, format: { comments: false, semicolons: false } });

/** No expression is evaluated and no variable replaced: names of optional packages must stay variables. */
function minified(name, options) {
  const all = { compress: { defaults: false, conditionals: true, if_return: true, join_vars: true, sequences: true, booleans: true }, keep_classnames: true, format: { comments: false }, ...options };
  return { name, renderChunk: async (code, _chunk, { format }) => (await minify(code, { ...all, module: format === "es", toplevel: true })).code };
}

/** Imports by a name that is known only at run time are hidden from bundlers. */
const IGNORE = "/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */";
const asIs = { name: "as-is", renderChunk: (code) => code.replace(/\bimport\((?:\/\*.*?\*\/\s*)*([A-Za-z_$][\w$]*)\)/g, `import(${IGNORE} $1)`) };

/** A browser could not resolve what is left. */
function onwarn(warning) {
  throw new Error(warning.message);
}

const inBuilt = (programs) => Object.fromEntries(Object.entries(programs).map(([name, file]) => [name, join(built, file)]));

/** The entries of one kind of host: they share their code, and what is loaded late is beside it. */
function build(hosts, dir, input, { plugins = [besides(VENDOR)], chunks = "shared-[name].js", ...rest } = {}) {
  const output = { dir, format: "es", chunkFileNames: chunks, manualChunks: dir === "dist" ? inChunks : undefined };
  return { input: inBuilt(input), plugins: [hosts, addresses, ...plugins, dir === "dist" ? plain : bare, asIs], output, onwarn, ...rest };
}

/** The code that names files lies a folder below dist in every build. */
function inChunks(id) {
  return id.startsWith(join(built, "runtime")) && /(package-files|node|node-threads|modules)\.js$/.test(id) ? "runtime" : undefined;
}

/** A program of a worker thread: one file, without imports. */
function thread(host, file, format) {
  return { input: join(built, `threads/${host}.js`), external: [/^node:/], plugins: [addresses, bare], output: { file, format }, onwarn };
}

/** Replaces the copies of files in builds that do not need them. */
const noCopies = {
  name: "no-copies",
  resolveId: (id) => (id.startsWith("#embedded/") ? "\0no-copy" : null),
  load: (id) => (id === "\0no-copy" ? "export default undefined;" : null),
};

/** Vite's workers are one file each. Who has this one has the files that it names, too: bundlers find both in the same way. */
const decoder = {
  input: join(built, "threads/browser-decoder.js"),
  plugins: [host("browser-inner"), addresses, noCopies, web, bare],
  output: { file: "dist/browser/decoder.js", format: "es", inlineDynamicImports: true },
  onwarn,
};

/** Globals of Node that test environments, such as Jest's jsdom, keep from their programs. */
const FROM_NODE = {
  TextEncoder: '{ TextEncoder } = require("node:util")',
  TextDecoder: '{ TextDecoder } = require("node:util")',
  setImmediate: '{ setImmediate } = require("node:timers")',
  crypto: '{ webcrypto: crypto } = require("node:crypto")',
};
const fromNode = {
  name: "from-node",
  renderChunk(code) {
    const used = Object.entries(FROM_NODE).filter(([name]) => new RegExp(`(?<![.\\w"'-])${name}(?=[.(])`).test(code));
    return used.length === 0 ? null : code.replace("'use strict';", `$&\nconst ${used.map(([, line]) => line).join(", ")};`);
  },
};

/** CommonJS for Node, without the copies of files: it is not bundled, because bundlers take the ES modules. */
function commonJs(input) {
  const inside = {
    name: "inside",
    resolveId: (id) => (id in VENDOR ? { id: ESM_ONLY.includes(id) ? `./vendor-${vendorName(id)}.js` : id, external: true } : null),
    resolveImportMeta: (property) => (property === "url" ? 'require("node:url").pathToFileURL(__filename).href' : null),
    // Some hosts of CommonJS, Jest among them, have no import().
    renderChunk: (code) => code.replace(/\bimport\((['"])([^'"]+)\1\)/g, (all, _quote, id) => (id in VENDOR || id.startsWith("./vendor-") ? `Promise.resolve().then(() => require("${id}"))` : all)),
  };
  const output = { dir: "dist/cjs", format: "cjs", chunkFileNames: "shared-[name].js" };
  return { input: inBuilt(input), external: /^node:/, plugins: [host("node"), addresses, noCopies, inside, fromNode, bare, asIs], output, onwarn };
}

const TAKEN = "\0taken:";
/** Of a dependency what the library takes. */
const taken = {
  name: "taken",
  resolveId: (id) => (id.startsWith(TAKEN) ? id : null),
  load(id) {
    if (!id.startsWith(TAKEN)) return null;
    const { file, names } = VENDOR[id.slice(TAKEN.length)];
    return `export { ${names.join(", ")} } from ${JSON.stringify(file)};`;
  },
};

/** The dependencies that are part of the package. */
function vendored(dir, format, prefix, ids = Object.keys(VENDOR)) {
  return {
    input: Object.fromEntries(ids.map((id) => [vendorName(id), TAKEN + id])),
    plugins: [taken, web, bare],
    output: { dir, format, exports: "named", entryFileNames: `${prefix}[name].js`, chunkFileNames: `${prefix}[name].js` },
  };
}

/** Files of the package as modules that export their content. */
const embedded = {
  name: "embedded",
  resolveId: (id) => (id.startsWith("\0embedded:") ? id : null),
  load(id) {
    const path = join(root, "dist", id.slice("\0embedded:".length)), bytes = readFileSync(path);
    return `export default ${JSON.stringify(path.endsWith(".wasm") ? deflateRawSync(bytes, { level: 9 }).toString("base64") : bytes.toString("utf8"))};`;
  },
};
const copies = Object.fromEntries([
  ...readdirSync(join(root, "dist/wasm")).map((name) => [name.replace(/\.wasm$/, ""), `\0embedded:wasm/${name}`]),
  ["node-thread", "\0embedded:thread.cjs"],
  ["browser-thread", "\0embedded:browser/thread.js"],
]);

const all = { index: "index.js", server: "server/index.js", collections: "collections/index.js", queue: "queue/index.js", transformers: "transformers/index.js" };
const tools = { "weights-tools": "../../weights-tools/index.js" };
const cpu = "index.js?devices-wasm", gpu = "index.js?devices-webgpu";
const forNode = { plugins: [besides({})], external: /^[\w@]/, chunks: "chunks/[name].js" };

export default [
  thread("node", "dist/thread.cjs", "cjs"),
  thread("browser", "dist/browser/thread.js", "iife"),
  decoder,
  { input: copies, plugins: [embedded], output: { dir: "dist/embedded", format: "es" }, onwarn },
  build(host("node"), "dist", { ...all, ...tools, cli: "cli/main.js", decoder: "threads/node-decoder.js", "node/wasm": cpu, "node/webgpu": gpu }, forNode),
  build(host("browser"), "dist/browser", { ...all, wasm: cpu, webgpu: gpu }),
  // Workers have no WebGPU.
  build(host("workerd", "devices-wasm"), "dist/workerd", all),
  commonJs({ ...all, ...tools, wasm: cpu, webgpu: gpu }),
  vendored("dist/vendor", "es", ""),
  vendored("dist/cjs", "cjs", "vendor-", ESM_ONLY),
];
