/** The permissions that Deno has to be given, use by use: those of the table in docs/runtimes.md are enough, and an import needs none. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { absent, DENO, unless } from "../support/engines.js";
import { openHubStandIn, type HubStandIn } from "../support/hub.js";

const TINY = "tests/goldens/models/tiny", REPO = "someone/tiny";
const options = unless(absent(DENO));
const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;
const PACKAGE = [resolve("dist"), resolve("models")].join();

/** A project with the package, a photo, and room to write. */
const folder = mkdtempSync(join(tmpdir(), "ijepa-deno-")), photo = join(folder, "rocket.jpg"), out = join(folder, "out");
mkdirSync(join(folder, "node_modules"));
mkdirSync(out);
symlinkSync(resolve("."), join(folder, "node_modules/ijepa"));
writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", dependencies: { ijepa: "*" } }));
copyFileSync("examples/photos/rocket.jpg", photo);

const images = createServer((_, response) => void response.end(readFileSync(photo)));
let hub: HubStandIn, port = 0;
before(async () => {
  hub = await openHubStandIn(REPO, Object.fromEntries(["config.json", "model.safetensors"].map((name) => [name, new Uint8Array(readFileSync(join(TINY, name)))])));
  await new Promise<void>((listening) => images.listen(0, "127.0.0.1", listening));
  ({ port } = images.address() as AddressInfo);
});
after(async () => {
  await hub.stop();
  images.closeAllConnections();
  images.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a module of the project with these permissions and no others; a missing one is refused, not asked for. */
function deno(permissions: readonly string[], code: string): Promise<Ended> {
  const file = join(folder, "program.mjs"), environment = { ...process.env, NO_COLOR: "1", HF_ENDPOINT: hub.endpoint };
  writeFileSync(file, code);
  const child = spawn(DENO, ["run", "--no-prompt", "--no-lock", ...permissions, file], { cwd: folder, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "", stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((ended) => child.once("close", (status) => ended({ status, stdout: stdout.trim(), stderr })));
}

async function prints(expected: string, permissions: readonly string[], code: string): Promise<void> {
  const { status, stdout, stderr } = await deno(permissions, code);
  assert.deepEqual([status, stdout], [0, expected], stderr);
}

const EXTRACT = (load: string, image: string) => `
  import { pipeline } from "ijepa";
  const extract = await pipeline("image-feature-extraction", ${load});
  console.log((await extract(${image})).numerics.digest);
  await extract.dispose();`;

test("importing every entry needs no permission", options, async () => {
  const entries = ["", "/wasm", "/webgpu", "/server", "/collections", "/queue", "/transformers", "/weights-tools"];
  await prints(String(entries.length), [], `${entries.map((entry, i) => `import * as m${i} from "ijepa${entry}";`).join("\n")} console.log([${entries.map((_, i) => `m${i}`).join()}].length);`);
});

test("the model of the package, a photo of the disk, with threads: reading both", options, async () => {
  const code = EXTRACT('undefined, { dtype: "int4", device: "wasm", threads: "auto" }', JSON.stringify(photo));
  await prints(stored["int4 rocket.jpg"], [`--allow-read=${PACKAGE},${photo}`], code);
  const { stderr } = await deno([`--allow-read=${PACKAGE}`], code);
  assert.match(stderr, /IJepaError: Cannot read .*rocket\.jpg: Requires read access/);
});

test("a photo by its URL: its host", options, async () => {
  await prints("640", [`--allow-read=${PACKAGE}`, `--allow-net=127.0.0.1:${port}`], `import { loadImage } from "ijepa"; console.log((await loadImage("http://127.0.0.1:${port}/x.jpg")).width);`);
});

test("a model of the Hub: its hosts and its cache; without the variables of Hugging Face they are not looked at", options, async () => {
  const cache = join(out, "cache"), read = `--allow-read=${PACKAGE},${photo},${cache}`, net = "--allow-net=127.0.0.1";
  const load = `${JSON.stringify(REPO)}, { dtype: "int4", device: "wasm", cache_dir: ${JSON.stringify(cache)} }`, code = EXTRACT(load, JSON.stringify(photo));
  const { status, stdout, stderr } = await deno([read, `--allow-write=${cache}`, net, "--allow-env=HF_ENDPOINT"], code);
  assert.deepEqual([status, /^[0-9a-f]{64}$/.test(stdout)], [0, true], stderr);
  // From the cache alone.
  await prints(stdout, [read], code.replace("cache_dir", "local_files_only: true, cache_dir"));
  const homeless = await deno([read, net, "--allow-env=HF_ENDPOINT"], EXTRACT(JSON.stringify(REPO), JSON.stringify(photo)));
  assert.match(homeless.stderr, /IJepaError: Cannot find ~\/\.cache\/huggingface\/hub: Requires sys access to "homedir".*cache_dir or HF_HUB_CACHE/);
});

test("saving a model, and a collection: writing there; a collection also the name of the machine, for its lock", options, async () => {
  const saved = join(out, "saved"), collection = join(out, "collection"), read = `--allow-read=${PACKAGE},${photo},${out}`;
  await prints("saved", [read, `--allow-write=${saved}`], `
    import { IJepaModel } from "ijepa";
    const model = await IJepaModel.fromPretrained(undefined, { dtype: "int4", device: "wasm" });
    await model.savePretrained(${JSON.stringify(saved)});
    console.log("saved");`);
  await prints("1", [read, `--allow-write=${collection}`, "--allow-sys=hostname"], `
    import { Collection, FeatureEncoder, indexImages } from "ijepa/collections";
    const encoder = await FeatureEncoder.open(undefined, { dtype: "int4", device: "wasm" });
    const collection = await Collection.openOrCreate(${JSON.stringify(collection)}, encoder.encoding);
    console.log((await indexImages(collection, encoder, [${JSON.stringify(photo)}])).added);`);
});

test("the server: its address", options, async () => {
  await prints("200 640", [`--allow-read=${PACKAGE},${photo}`, "--allow-net=127.0.0.1"], `
    import { pipeline } from "ijepa";
    import { createServer } from "ijepa/server";
    const server = createServer(await pipeline("image-feature-extraction", undefined, { dtype: "int4", device: "wasm" }));
    const http = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, server.fetch);
    const answer = await fetch("http://127.0.0.1:" + http.addr.port + "/embed", { method: "POST", headers: { "content-type": "image/jpeg" }, body: await Deno.readFile(${JSON.stringify(photo)}) });
    console.log(answer.status, (await answer.json()).width);
    await http.shutdown();
    await server.stop();`);
});

test("docs/runtimes.md lists what was tried here", () => {
  const text = readFileSync("docs/runtimes.md", "utf8");
  for (const permission of ["--allow-read", "--allow-net", "--allow-write", "--allow-env=HF_", "--allow-sys=homedir", "--allow-sys=hostname"]) assert.ok(text.includes(permission), permission);
});
