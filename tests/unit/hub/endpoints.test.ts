/** Addresses of mirrors and proxies, and copies in the cache that can be read and are wrong. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runtime } from "#runtime";
import { IJepaModel } from "../../../ts-api/src/index.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { COMMIT, refuse } from "../../support/hub.js";
import { failure, smallModel } from "../weights/helpers.js";
import { CONFIG, openBench, REPO, REPO_FOLDER } from "./helpers.js";

const WEIGHTS = "model.safetensors";
const files = () => Object.fromEntries(Object.entries(smallModel()).map(([name, content]) => [name, typeof content === "string" ? new TextEncoder().encode(content) : content]));

test("an endpoint with a name and a password: they go with every request, and into no message", async (t) => {
  const { hub, read } = await openBench(t);
  const expected = `Basic ${Buffer.from("user:p@s%").toString("base64")}`;
  process.env["HF_ENDPOINT"] = hub.endpoint.replace("//", "//user:p%40s%@");
  assert.deepEqual(await read("config.json", { token: "hf_secret" }), CONFIG);
  assert.deepEqual(new Set(hub.requests.map(({ authorization }) => authorization)), new Set([expected]));
  hub.onHub = (_, response) => (refuse(response, 500), true);
  assert.doesNotMatch((await failure("io/read", () => read(WEIGHTS))).message, /user|p%40s/);
  process.env["HF_ENDPOINT"] = "ftp://user:secret@mirror";
  await failure("input/value", () => read(WEIGHTS));
});

test("the token stays with a mirror that goes on over TLS, on the same host alone", async (t) => {
  const { hub, read } = await openBench(t), seen: string[] = [];
  process.env["HF_ENDPOINT"] = "http://mirror.example";
  for (const host of ["mirror.example", "other.example"]) {
    const fetch = (url: string, init: RequestInit) => {
      const { authorization } = init.headers as Record<string, string>;
      seen.push(`${new URL(url).origin} ${authorization ?? "-"}`);
      if (url.startsWith("http:")) return Promise.resolve(new Response(null, { status: 308, headers: { location: url.replace("http://mirror.example", `https://${host}`) } }));
      return globalThis.fetch(url.replace(`https://${host}`, hub.endpoint), init);
    };
    assert.equal(await read("absent.json", { token: "hf_x", fetch: fetch as typeof globalThis.fetch }), undefined);
  }
  assert.deepEqual(seen, ["http://mirror.example Bearer hf_x", "https://mirror.example Bearer hf_x", "http://mirror.example Bearer hf_x", "https://other.example -"]);
});

test("410 is absence; a 403 without the Hub's words names the file", async (t) => {
  const { hub } = await openBench(t, files());
  hub.onHub = (request, response) => !/config\.json/.test(request.url!) && (refuse(response, 403), true);
  const { message } = await failure("hub/access", () => openCheckpoint(REPO));
  assert.match(message, /model\.safetensors\.index\.json; S3 and CloudFront.*model\.safetensors is not there either/);
  hub.onHub = (request, response) => !/\/config\.json/.test(request.url!) && (refuse(response, 410), true);
  assert.match((await failure("weights/missing", () => openCheckpoint(REPO))).message, /There is neither .*model\.safetensors/);
  hub.onHub = (_, response) => (refuse(response, 410), true);
  process.env["HF_HUB_CACHE"] += "-new";
  await failure("hub/missing", () => openCheckpoint(REPO));
});

/** What stands in the cache in the place of a file; each can be read, and is wrong. */
const WRONG: Record<string, [name: string, change: (right: Buffer) => string | Uint8Array]> = {
  "an empty object": ["config.json", () => "{}"],
  null: ["config.json", () => "null"],
  "another model's": ["config.json", () => '{"model_type":"vit"}'],
  "a list": ["preprocessor_config.json", () => "[]"],
  "no numbers": [WEIGHTS, (right) => Buffer.concat([right.subarray(0, -8), Buffer.alloc(8, 255)])],
  "another name": [WEIGHTS, (right) => Buffer.from(right.toString("latin1").replace("encoder.layer.0", "encoder.layer.9"), "latin1")],
};

for (const [what, [name, change]] of Object.entries(WRONG)) {
  test(`${name} in the cache is ${what}: it is fetched again, and named where it cannot be`, async (t) => {
    const { hub, cache } = await openBench(t, { ...files(), "preprocessor_config.json": new TextEncoder().encode('{"size":{"height":8,"width":8}}') });
    const load = async (options = {}) => (await IJepaModel.fromPretrained(REPO, { dtype: "fp32", threads: 1, ...options })).dispose();
    await load();
    const path = join(cache, REPO_FOLDER, "snapshots", COMMIT, name), right = await readFile(path);
    await writeFile(path, change(right));
    assert.equal((await failure("hub/corrupt", () => load({ local_files_only: true }))).details.file, path);
    await load();
    assert.deepEqual(await readFile(path), right);
    assert.equal(hub.requests.filter(({ host, method, path: asked }) => host === "hub" && method === "GET" && asked.endsWith(`/${name}`)).length, 2);
  });
}

test("weights that are wrong on the Hub itself are not fetched again", async (t) => {
  const wrong = files();
  wrong[WEIGHTS] = WRONG["no numbers"][1](Buffer.from(wrong[WEIGHTS])) as Uint8Array;
  const { hub } = await openBench(t, wrong);
  await failure("weights/value", () => IJepaModel.fromPretrained(REPO, { dtype: "fp32", threads: 1 }));
  assert.equal(hub.requests.filter(({ host, range }) => host === "cdn" && range !== "bytes=0-0").length, 1);
});

test("links in a circle are replaced; places where no cache can be are io/write", { skip: process.platform === "linux" ? false : "there is no /proc" }, async (t) => {
  const { cache, read } = await openBench(t);
  assert.deepEqual(await read("config.json"), CONFIG);
  for (const name of [`snapshots/${COMMIT}/config.json`, "refs/main"]) {
    const path = join(cache, REPO_FOLDER, name);
    await rm(path);
    await symlink(path, path);
    assert.deepEqual(await read("config.json"), CONFIG);
    assert.ok((await readFile(path)).length > 0, name);
  }
  for (const place of ["/proc/cache", "/dev/null", join(cache, "a".repeat(300))]) await failure("io/write", () => read("config.json", { cache_dir: place }));
  await failure("input/value", () => read("config.json", { cache_dir: "a\0b" }));
});

test("a proxy may be named without its scheme; a value that is no address is told without its password", async (t) => {
  if (/^(bun|deno)/.test(runtime.name)) return t.skip("these hosts heed the variables themselves");
  const { hub, read } = await openBench(t);
  const proxy = createServer();
  let tunnels = 0;
  proxy.on("connect", (request, socket) => {
    tunnels++;
    const target = connect(Number(request.url!.split(":")[1]), "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    target.on("error", () => socket.destroy()).pipe(socket).on("error", () => target.destroy()).pipe(target);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    delete process.env["HTTP_PROXY"];
    proxy.close();
    proxy.closeAllConnections();
  });
  process.env["HTTP_PROXY"] = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  assert.deepEqual(await read("config.json"), CONFIG);
  assert.ok(tunnels > 0 && hub.requests.length > 0);
  for (const value of ["socks5://name:secret@127.0.0.1:1080", "http://["]) {
    process.env["HTTP_PROXY"] = value;
    // The variables are read once in a process: a module of its own.
    const fresh = `../../../ts-api/src/runtime/proxy.js?${encodeURIComponent(value)}`, { fetch } = (await import(fresh)) as { fetch: typeof globalThis.fetch };
    await assert.rejects(fetch(hub.endpoint), { message: "the proxy in HTTP_PROXY must be a URL such as http://host:3128" });
  }
});
