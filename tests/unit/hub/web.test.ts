/** Hosts without a file system: the Cache API where there is room, ranges straight from the Hub elsewhere. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { HubParts } from "../../../ts-api/src/weights/hub/folder.js";
import type { WebHost } from "../../../ts-api/src/weights/hub/web.js";
import { readRange } from "../../../ts-api/src/weights/sources/bytes.js";
import { COMMIT } from "../../support/hub.js";
import { failure } from "../weights/helpers.js";
import { CONFIG, FAST, openBench, readWhole, REPO, WEIGHTS, type Bench } from "./helpers.js";

const NAME = "model.safetensors";

/** A Cache API in memory. */
class FakeCaches {
  readonly kept = new Map<string, { bytes: Uint8Array }>();
  /** Most bytes that it keeps. */
  room = Infinity;

  async open(): Promise<Cache> {
    return {
      match: async (url: string) => {
        const found = this.kept.get(url);
        return found === undefined ? undefined : new Response(found.bytes as BodyInit);
      },
      put: async (url: string, response: Response) => {
        const bytes = new Uint8Array(await response.arrayBuffer());
        if (bytes.length > this.room) throw new DOMException("full", "QuotaExceededError");
        this.kept.set(url, { bytes });
      },
      delete: async (url: string) => this.kept.delete(url),
    } as unknown as Cache;
  }
}

interface WebBench extends Bench {
  caches: FakeCaches;
  parts: HubParts;
}

async function openWebBench(t: TestContext, has: Partial<WebHost> = {}): Promise<WebBench> {
  const caches = new FakeCaches();
  const web: WebHost = { caches: caches as unknown as CacheStorage, hasRoom: async () => true, ...has };
  return { ...(await openBench(t)), caches, parts: { web } };
}

test("a browser keeps whole files, checked, and needs the Hub once", async (t) => {
  const { hub, caches, open, read, list, parts } = await openWebBench(t);
  assert.deepEqual(await read("config.json", {}, parts), CONFIG);
  assert.deepEqual(await read(NAME, {}, parts), WEIGHTS);
  assert.equal(await read("preprocessor_config.json", {}, parts), undefined);
  assert.equal([...caches.kept.values()].reduce((sum, { bytes }) => sum + (bytes.length > 2000 ? bytes.length : 0), 0), WEIGHTS.length);
  assert.deepEqual(await list("."), [], "nothing on the disk");

  hub.requests.length = 0;
  assert.deepEqual(await read(NAME, { revision: COMMIT }, parts), WEIGHTS);
  assert.deepEqual(await read(NAME, { local_files_only: true }, parts), WEIGHTS);
  assert.equal(await read("preprocessor_config.json", { local_files_only: true }, parts), undefined);
  await failure("hub/offline", async () => (await open({ local_files_only: true }, parts)).open("other.json", { required: true }));
  assert.deepEqual(hub.requests, []);
  await hub.stop();
  assert.deepEqual(await read(NAME, {}, parts), WEIGHTS, "the copy serves where the Hub cannot be reached");
});

test("any range can be read, across parts", async (t) => {
  const { open, parts } = await openWebBench(t);
  const source = (await (await open({}, parts)).open(NAME))!;
  const part = FAST.partBytes!;
  for (const [offset, length] of [[0, 1], [part - 1, 2], [part, part], [10, 3 * part], [WEIGHTS.length - 1, 1], [WEIGHTS.length, 0]]) {
    assert.deepEqual(await readRange(source, offset, length), WEIGHTS.slice(offset, offset + length));
  }
});

test("a part that the browser has thrown away is fetched again, and checked again", async (t) => {
  const { hub, caches, read, parts } = await openWebBench(t);
  await read(NAME, {}, parts);
  const third = [...caches.kept.keys()].find((url) => url.endsWith("part=2"))!;
  caches.kept.delete(third);
  hub.sent = 0;
  assert.deepEqual(await read(NAME, {}, parts), WEIGHTS);
  assert.equal(hub.sent, FAST.partBytes);

  caches.kept.delete(third);
  hub.onCdn = (request, response) => {
    hub.sendFile(request, response, WEIGHTS.map((byte) => byte ^ 1));
    return true;
  };
  await failure("hub/corrupt", () => read(NAME, {}, parts));
});

test("wrong bytes are fetched once more, then refused, and not kept", async (t) => {
  for (const name of [NAME, "config.json"]) {
    const { hub, caches, read, parts } = await openWebBench(t);
    const right = hub.files.get(name)!;
    let lies = 1;
    const lie: Bench["hub"]["onHub"] = (request, response) => {
      const isBody = request.method === "GET" && (name !== NAME || request.headers.range?.startsWith("bytes=0-1"));
      if (!isBody || lies-- <= 0) return false;
      hub.sendFile(request, response, right.map((byte) => byte ^ 1));
      return true;
    };
    if (name === NAME) hub.onCdn = lie;
    else hub.onHub = lie;
    assert.deepEqual(await read(name, {}, parts), right);
    lies = 2;
    caches.kept.clear();
    await failure("hub/corrupt", () => read(name, {}, parts));
    assert.ok([...caches.kept.keys()].every((url) => !url.includes("part=") && !url.includes("entry")));
  }
});

test("without room, without a Cache API, with a full one: ranges straight from the Hub", async (t) => {
  const hosts: [name: string, has: Partial<WebHost>, room: number][] = [
    ["a Worker: a Cache API that forgets", { hasRoom: async () => false }, Infinity],
    ["none", { caches: undefined }, Infinity],
    ["full", {}, 1000],
  ];
  for (const [name, has, room] of hosts) {
    const { hub, caches, open, parts } = await openWebBench(t, has);
    caches.room = room;
    const source = (await (await open({}, parts)).open(NAME))!;
    if (name !== "full") assert.equal(hub.sent, 0, "nothing is fetched before it is read");
    hub.sent = 0;
    assert.deepEqual(await readRange(source, 150_000, 1000), WEIGHTS.slice(150_000, 151_000), name);
    assert.deepEqual(await readRange(source, 151_000, 1000), WEIGHTS.slice(151_000, 152_000), name);
    assert.equal(hub.sent, FAST.partBytes, "one part");
    assert.deepEqual(await readWhole(source), WEIGHTS, name);
    assert.deepEqual(await readWhole((await (await open({}, parts)).open("config.json"))!), CONFIG);
  }
});

/** As browsers do: a redirect that is not followed shows nothing of itself; one that is loses the token. */
const hidingFetch: typeof fetch = async (input, init = {}) => {
  const response = await fetch(input, init);
  if (init.redirect !== "manual" || response.status < 300 || response.status >= 400) return response;
  await response.body?.cancel();
  return new Proxy(response, {
    get: (_, name) => (name === "type" ? "opaqueredirect" : name === "status" ? 0 : name === "headers" ? new Headers() : name === "body" ? null : undefined),
  });
};

test("where redirects are hidden, the Hub's list of files tells digest and size", async (t) => {
  const { hub, read, open, parts } = await openWebBench(t);
  assert.deepEqual(await read(NAME, { fetch: hidingFetch, token: "hf_secret" }, parts), WEIGHTS);
  assert.ok(hub.requests.some(({ path }) => path === `/api/models/${REPO}/revision/main?blobs=true`));
  for (const { host, authorization } of hub.requests) assert.equal(authorization, host === "hub" ? "Bearer hf_secret" : undefined);

  const folder = await open({ fetch: hidingFetch, revision: COMMIT }, { ...parts, pace: { tries: 1 } });
  hub.large.add("config.json");
  assert.deepEqual(await readWhole((await folder.open("config.json"))!), CONFIG);
  assert.equal(await folder.open("preprocessor_config.json"), undefined);
  assert.equal(hub.requests.filter(({ path }) => path.startsWith("/api/") && path.includes(COMMIT)).length, 1, "one list for all files");
});
