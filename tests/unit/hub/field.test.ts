/** Mirrors, proxies, buckets and caches as people have them. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { runtime } from "#runtime";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { COMMIT, refuse } from "../../support/hub.js";
import { failure, smallModel } from "../weights/helpers.js";
import { CONFIG, openBench, REPO, REPO_FOLDER, WEIGHTS } from "./helpers.js";

const NAME = "model.safetensors";
const OTHER = "f".repeat(40);

async function serve(test: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The files of a small model as the Hub has them. */
function modelFiles(): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(smallModel()).map(([name, content]) => [name, typeof content === "string" ? new TextEncoder().encode(content) : content]));
}

test("a mirror that redirects to the Hub is followed, without the token, whatever the status", async (t) => {
  for (const status of [301, 302, 307, 308]) {
    const { hub, read, cache } = await openBench(t);
    let tokens = 0;
    const mirror = await serve(t, (request, response) => {
      if (request.headers.authorization !== undefined) tokens++;
      response.writeHead(status, { location: `${hub.endpoint}${request.url}` }).end();
    });
    process.env["HF_ENDPOINT"] = mirror;
    assert.deepEqual(await read("config.json", { token: "hf_secret" }), CONFIG);
    assert.deepEqual(await read(NAME, { token: "hf_secret" }), WEIGHTS);
    assert.equal(await read("absent.json", { token: "hf_secret" }), undefined);
    assert.ok(tokens > 0 && hub.requests.every(({ authorization }) => authorization === undefined), "the token is the mirror's");
    assert.ok(existsSync(join(cache, REPO_FOLDER, ".no_exist", COMMIT, "absent.json")));
  }
});

test("a redirect to a page that is no Hub is refused as one", async (t) => {
  const { read } = await openBench(t);
  const portal = await serve(t, (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>Log in</html>"));
  process.env["HF_ENDPOINT"] = await serve(t, (_, response) => void response.writeHead(302, { location: portal }).end());
  assert.match((await failure("io/read", () => read("config.json"))).message, /does not answer like the Hugging Face Hub/);
});

test("403 without the Hub's words is absence, where a file may be absent and the commit is known", async (t) => {
  const { hub, open, cache } = await openBench(t);
  hub.onHub = (request, response) => {
    if (/config\.json|model\.safetensors$/.test(request.url ?? "") && !/preprocessor/.test(request.url ?? "")) return false;
    response.writeHead(403, { server: "AmazonS3" }).end("<Error><Code>AccessDenied</Code></Error>");
    return true;
  };
  const folder = await open();
  await failure("hub/access", () => folder.open("preprocessor_config.json"));
  await (await folder.open("config.json"))!.close();
  assert.equal(await folder.open("preprocessor_config.json"), undefined);
  await failure("hub/access", () => folder.open("preprocessor_config.json", { required: true }));
  assert.ok(!existsSync(join(cache, REPO_FOLDER, ".no_exist")), "what may be a passing refusal is not kept");
  hub.onHub = (_, response) => (refuse(response, 403, "GatedRepo"), true);
  await failure("hub/access", () => folder.open("preprocessor_config.json"));
});

test("a bucket that answers 403 for what is not there serves a model; where nothing is found, the status is named", async (t) => {
  const files = modelFiles();
  const origin = await serve(t, (request, response) => {
    const bytes = files[request.url?.split("/").at(-1) ?? ""];
    if (bytes === undefined || !request.url!.startsWith("/model/")) return void response.writeHead(403).end("<Error><Code>AccessDenied</Code></Error>");
    response.writeHead(200).end(bytes);
  });
  await (await openCheckpoint(`${origin}/model`)).close();
  const sharded = files[NAME];
  delete files[NAME];
  files["part.safetensors"] = sharded;
  const nothing = await failure("io/read", () => openCheckpoint(`${origin}/model`));
  assert.match(nothing.message, /index\.json: .*HTTP status 403.*S3 and CloudFront.* model\.safetensors is not there either/);
  files["model.safetensors.index.json"] = new TextEncoder().encode(JSON.stringify({ weight_map: { "layernorm.bias": "part.safetensors" } }));
  await (await openCheckpoint(`${origin}/model`)).close();
  assert.match((await failure("io/read", () => openCheckpoint(`${origin}/elsewhere`))).message, /config\.json: .*HTTP status 403.*S3 and CloudFront/);
  assert.match((await failure("io/read", () => openCheckpoint(`${origin}/jepa.pth.tar`))).message, /HTTP status 403.*S3 and CloudFront/);
});

test("a proxy that asks for a password is named at once", async (t) => {
  const { hub, read } = await openBench(t);
  hub.onHub = (_, response) => (refuse(response, 407), true);
  assert.match((await failure("io/read", () => read("config.json"))).message, /407.*HTTPS_PROXY/);
  assert.equal(hub.requests.length, 1);
  // What undici says of a tunnel, and what other hosts say: one or two levels down, at times without words.
  for (const error of [
    new TypeError("fetch failed", { cause: Object.assign(new Error("Proxy response (407) !== 200 when HTTP Tunneling"), { code: "UND_ERR_ABORTED" }) }),
    new TypeError("fetch failed", { cause: new Error("", { cause: new Error("407 Proxy Authentication Required") }) }),
  ]) {
    let asked = 0;
    const fetch = () => (asked++, Promise.reject(error));
    assert.match((await failure("io/read", () => read("config.json", { fetch }))).message, /407.*HTTPS_PROXY/);
    assert.equal(asked, 1);
  }
  const both = new TypeError("fetch failed", { cause: new AggregateError([Object.assign(new Error(""), { code: "ECONNREFUSED" })], "") });
  assert.match((await failure("io/read", () => read("config.json", { fetch: () => Promise.reject(both) }))).message, /ECONNREFUSED/);
});

test("HTTPS_PROXY and HTTP_PROXY are used, NO_PROXY is heeded, and a proxy that refuses is named", async (t) => {
  if (/^(bun|deno)/.test(runtime.name)) return t.skip("these hosts heed the variables themselves");
  const { hub, read } = await openBench(t);
  const lines: string[] = [];
  const proxy = createServer((request, response) => void response.writeHead(502).end(String(request.url)));
  proxy.on("connect", (request, socket) => {
    lines.push(`${request.url} ${request.headers["proxy-authorization"] ?? "-"}`);
    socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  t.after(() => {
    for (const name of ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"]) delete process.env[name];
    proxy.close();
    proxy.closeAllConnections();
  });
  process.env["HTTPS_PROXY"] = process.env["HTTP_PROXY"] = `http://name:word@${address}`;
  process.env["HF_ENDPOINT"] = "https://hub.invalid";
  assert.match((await failure("io/read", () => read("config.json"))).message, /407.*HTTPS_PROXY/);
  assert.deepEqual(lines, [`hub.invalid:443 Basic ${Buffer.from("name:word").toString("base64")}`]);
  process.env["NO_PROXY"] = "127.0.0.1";
  process.env["HF_ENDPOINT"] = hub.endpoint;
  assert.deepEqual(await read("config.json"), CONFIG);
  assert.equal(lines.length, 1);
});

test("a damaged file of the cache is fetched again; where that cannot be, the cached path is named", async (t) => {
  const files = modelFiles();
  for (const name of ["config.json", NAME]) {
    for (const how of ["cut", "zeros", "empty"]) {
      const { hub, cache } = await openBench(t, files);
      const open = (options = {}) => openCheckpoint(REPO, options);
      await (await open()).close();
      const path = join(cache, REPO_FOLDER, "snapshots", COMMIT, name), right = await readFile(path);
      const damage = () => writeFile(path, how === "cut" ? right.subarray(0, -9) : how === "zeros" ? Buffer.alloc(right.length) : "");
      await damage();
      const offline = await failure("hub/corrupt", () => open({ local_files_only: true }));
      assert.equal(offline.details.file, path);
      assert.match(offline.message, /in the Hub's cache, is damaged.*must not be contacted/);
      await hub.stop();
      assert.match((await failure("hub/corrupt", () => open())).message, /ECONNREFUSED|cannot be fetched again/);
      await hub.start();
      const checkpoint = await open();
      await checkpoint.close();
      assert.deepEqual(await readFile(path), right, `${name} ${how}`);
      await (await open({ local_files_only: true })).close();
    }
  }
});

test("a file that the Hub itself has in this state is not fetched again and again", async (t) => {
  const { hub } = await openBench(t, { ...modelFiles(), "config.json": new TextEncoder().encode("{") });
  const error = await failure("config/missing", () => openCheckpoint(REPO));
  assert.match(error.message, /snapshots\/.*config\.json cannot be used: it is not JSON/);
  assert.equal(hub.requests.filter(({ method }) => method === "GET").length, 1);
});

test("nothing is written through links that lead out of the cache", async (t) => {
  for (const name of ["blobs", "snapshots", "refs", ".no_exist", `snapshots/${COMMIT}`, ""]) {
    const { cache, read } = await openBench(t);
    const outside = await mkdtemp(join(tmpdir(), "ijepa-outside-")), link = join(cache, REPO_FOLDER, name);
    t.after(() => rm(outside, { recursive: true, force: true }));
    await mkdir(join(link, ".."), { recursive: true });
    await symlink(outside, link);
    const loads = [() => read("absent.json"), () => read(NAME)];
    if (["refs", ".no_exist"].includes(name)) {
      for (const load of loads) await load();
    } else {
      await loads[0]();
      assert.match((await failure("io/read", loads[1])).message, /leads out of the Hub's cache.*Remove it/, name);
    }
    assert.deepEqual(await readdir(outside), [], name);
  }
});

test("nothing is written through a file that is such a link, whether it leads to something or not", async (t) => {
  for (const there of [true, false]) {
    const { cache, read } = await openBench(t), outside = await mkdtemp(join(tmpdir(), "ijepa-outside-"));
    t.after(() => rm(outside, { recursive: true, force: true }));
    const links = { "refs/main": join(outside, "ref"), [`.no_exist/${COMMIT}/absent.json`]: join(outside, "absent"), [`snapshots/${COMMIT}/${NAME}`]: join(outside, "weights") };
    for (const [name, target] of Object.entries(links)) {
      const link = join(cache, REPO_FOLDER, name);
      await mkdir(join(link, ".."), { recursive: true });
      await symlink(target, link);
      if (there) await writeFile(target, "mine");
    }
    // What the cache says is absent is not asked for where its mark leads to a file.
    await read("absent.json");
    if (there) await failure("io/read", () => read(NAME));
    else assert.deepEqual(await read(NAME), WEIGHTS);
    assert.deepEqual((await readdir(outside)).sort(), there ? ["absent", "ref", "weights"] : []);
    for (const name of await readdir(outside)) assert.equal(await readFile(join(outside, name), "utf8"), "mine");
  }
});

test("a server that names another commit than it was asked for is refused", async (t) => {
  const { hub, open } = await openBench(t);
  const folder = await open();
  await (await folder.open("config.json"))!.close();
  hub.headers["x-repo-commit"] = OTHER;
  const error = await failure("io/read", () => folder.open(NAME));
  assert.match(error.message, new RegExp(`${OTHER}.*${COMMIT}.*do not belong together`));
  await failure("io/read", async () => (await open({ revision: COMMIT })).open(NAME));
});

test("a byte a connection, and a byte now and then, are no progress", async (t) => {
  const { hub, read } = await openBench(t, { "config.json": CONFIG, [NAME]: WEIGHTS });
  const begin = (range: string | undefined): number => Number(/=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
  let connections = 0;
  hub.onCdn = (request, response) => {
    if (request.headers.range === "bytes=0-0") return false;
    connections++;
    const from = begin(request.headers.range);
    response.writeHead(206, { "content-range": `bytes ${from}-${WEIGHTS.length - 1}/${WEIGHTS.length}` });
    response.write(WEIGHTS.subarray(from, from + 1), () => setTimeout(() => request.socket.end(), 15));
    return true;
  };
  await failure("io/read", () => read(NAME, {}, { pace: { partsAtOnce: 1 } }));
  assert.equal(connections, 3);

  connections = 0;
  hub.onCdn = (request, response) => {
    if (request.headers.range === "bytes=0-0") return false;
    connections++;
    let at = begin(request.headers.range);
    response.writeHead(206, { "content-range": `bytes ${at}-${WEIGHTS.length - 1}/${WEIGHTS.length}` });
    const timer = setInterval(() => response.write(WEIGHTS.subarray(at, ++at)), 20);
    response.on("close", () => clearInterval(timer));
    return true;
  };
  assert.match((await failure("io/read", () => read(NAME, {}, { pace: { partsAtOnce: 1, silence: 200 } }))).message, /almost no data arrived for 0\.2 seconds/);
  assert.equal(connections, 3);
});
