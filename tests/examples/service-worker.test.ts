/** The service worker of the page cuts ranges from files that it has read once. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

const URL_OF_MODEL = "https://page/models/demo/model.safetensors";
const model = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) % 251);

/** The worker's program with a network and a cache that count what they are asked for. */
function start() {
  const counts = { fetched: 0, matched: 0, read: 0 }, kept = new Map<string, Uint8Array>(), state: { online: boolean; arriving: Response | undefined } = { online: true, arriving: undefined };
  const respond = (bytes: Uint8Array): Response => {
    const response = new Response(bytes as BodyInit), blob = response.blob.bind(response);
    return Object.assign(response, { blob: () => (counts.read++, blob()), clone: () => respond(bytes) });
  };
  const cache = {
    addAll: () => Promise.resolve(),
    put: async (url: string, response: Response) => void kept.set(url, new Uint8Array(await response.arrayBuffer())),
    async match(url: string) {
      counts.matched++;
      const bytes = kept.get(url);
      return bytes && respond(bytes);
    },
  };
  const listeners = new Map<string, (event: object) => void>();
  const fetch = async (): Promise<Response> => {
    counts.fetched++;
    if (!state.online) throw new TypeError("Failed to fetch");
    if (state.arriving !== undefined) return state.arriving;
    return respond(model);
  };
  const self = { addEventListener: (name: string, listener: (event: object) => void) => listeners.set(name, listener), location: { origin: "https://page" } };
  runInNewContext(readFileSync("examples/browser/sw.js", "utf8"), { self, caches: { open: () => Promise.resolve(cache) }, fetch, Headers, Request, Response, URL, Map, Number, Math });
  const ask = async (range?: string): Promise<Response> => {
    let answer: Promise<Response> | undefined;
    listeners.get("fetch")!({ request: new Request(URL_OF_MODEL, { headers: range === undefined ? {} : { range } }), respondWith: (response: Promise<Response>) => (answer = response), waitUntil: () => {} });
    return answer!;
  };
  return { ask, counts, state };
}

test("a model that is read in hundreds of ranges is fetched once, and read once from the cache", async () => {
  const { ask, counts, state } = start();
  for (let at = 0; at < model.length; at += 20) {
    const end = Math.min(at + 19, model.length - 1), response = await ask(`bytes=${at}-${end}`);
    assert.deepEqual([response.status, response.headers.get("content-range")], [206, `bytes ${at}-${end}/${model.length}`]);
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), model.subarray(at, end + 1));
  }
  assert.deepEqual(counts, { fetched: 1, matched: 0, read: 1 });
  assert.equal((await ask(`bytes=${model.length}-${model.length + 5}`)).status, 416);
  // Without a network the first range comes from what was kept.
  state.online = false;
  for (const range of ["bytes=0-9", "bytes=10-19", "bytes=4990-6000"]) assert.equal((await ask(range)).status, 206);
  assert.deepEqual(counts, { fetched: 2, matched: 1, read: 2 });
  assert.equal((await ask()).status, 200);
});

test("a file on its way: a range is there once its bytes are; where the network breaks, what is missing fails, and the next range begins anew", async () => {
  const { ask, counts, state } = start();
  let arrive!: ReadableStreamDefaultController<Uint8Array>;
  const begin = () => (state.arriving = new Response(new ReadableStream<Uint8Array>({ start: (controller) => void (arrive = controller) }), { headers: { "content-length": String(model.length) } }));
  const bytesOf = async (answer: Promise<Response>) => new Uint8Array(await (await answer).arrayBuffer());
  begin();
  const first = ask("bytes=0-99");
  arrive.enqueue(model.slice(0, 300));
  assert.deepEqual(await bytesOf(first), model.subarray(0, 100));
  assert.deepEqual(await bytesOf(ask("bytes=200-299")), model.subarray(200, 300));
  let isThere = false;
  const late = ask("bytes=290-399").finally(() => (isThere = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isThere, false);
  arrive.enqueue(model.slice(300));
  arrive.close();
  assert.deepEqual(await bytesOf(late), model.subarray(290, 400));
  assert.equal((await ask("bytes=4990-6000")).headers.get("content-range"), `bytes 4990-4999/${model.length}`);
  assert.equal(counts.fetched, 1);

  begin();
  const again = ask("bytes=0-9");
  arrive.enqueue(model.slice(0, 300));
  assert.deepEqual(await bytesOf(again), model.subarray(0, 10));
  const missing = ask("bytes=10-4000");
  arrive.error(new TypeError("network error"));
  await assert.rejects(missing, /network error/);
  state.arriving = undefined;
  assert.deepEqual(await bytesOf(ask("bytes=300-399")), model.subarray(300, 400));
});
