/** What servers and networks do wrong: cut connections, wrong bytes, statuses, redirects. */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import type { ProgressInfo } from "../../../ts-api/src/index.js";
import { refuse } from "../../support/hub.js";
import { sha256 } from "../../support/sha256.js";
import { failure } from "../weights/helpers.js";
import { assertNothingKept, CONFIG, FAST, openBench, readWhole, REPO, WEIGHTS, type Bench } from "./helpers.js";

const ETAG = sha256(WEIGHTS);
const NAME = "model.safetensors";
const ONE_AT_A_TIME = { pace: { partsAtOnce: 1 } };

test("a large file comes in parts, several at once", async (t) => {
  const { hub, read } = await openBench(t);
  let open = 0, most = 0;
  const held: (() => void)[] = [];
  hub.onCdn = (request, response) => {
    if (request.headers.range === "bytes=0-0") return false;
    most = Math.max(most, ++open);
    response.on("finish", () => open--);
    held.push(() => hub.sendFile(request, response, WEIGHTS));
    // Nothing is answered until as many parts as may be are asked for.
    if (most === 4) for (const go of held.splice(0)) go();
    return true;
  };
  assert.deepEqual(await read(NAME), WEIGHTS);
  assert.equal(most, 4);
  assert.equal(new Set(hub.requests.flatMap(({ host, range }) => (host === "cdn" && range !== "bytes=0-0" ? [range] : []))).size, 8);
});

/** Milliseconds from the last byte to the cut: fetch forgets what nobody has read by then, and that comes again. */
const CUT_AFTER = 15;

/** Sends so many bytes of what is asked for, then cuts the connection. */
function cutAfter(bytes: number, hub: Bench["hub"], request: IncomingMessage, response: ServerResponse): void {
  const [, from = "0", to = String(WEIGHTS.length - 1)] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  const part = WEIGHTS.subarray(Number(from), Number(to) + 1);
  response.writeHead(206, { "content-length": part.length, "content-range": `bytes ${from}-${to}/${WEIGHTS.length}` });
  hub.sent += Math.min(bytes, part.length);
  response.write(part.subarray(0, bytes), () => setTimeout(() => request.socket.end(), CUT_AFTER));
}

test("a connection that is cut is taken up at the byte where it ended", async (t) => {
  const { hub, read } = await openBench(t);
  let cuts = 0;
  hub.onCdn = (request, response) => {
    if (request.headers.range === "bytes=0-0" || cuts >= 12) return false;
    cuts++;
    cutAfter(10_000 + cuts, hub, request, response);
    return true;
  };
  assert.deepEqual(await read(NAME, {}, ONE_AT_A_TIME), WEIGHTS);
  assert.equal(cuts, 12, "more often than there are tries: each time something had come");
  assert.ok(hub.sent <= WEIGHTS.length + 12 * 10_012 + 1, "what had come does not come again");
});

test("a download that fails leaves what it has for the next one, and nothing under a final name", async (t) => {
  const bench = await openBench(t);
  const { hub, read, list } = bench;
  let budget = 400_000;
  hub.onCdn = (request, response) => {
    if (request.headers.range === "bytes=0-0") return false;
    const before = hub.sent;
    if (budget > 0) cutAfter(Math.min(budget, 60_000), hub, request, response);
    else request.socket.destroy();
    budget -= hub.sent - before;
    return true;
  };
  for (const sent of [400_000, 700_000]) {
    assert.match((await failure("io/read", () => read(NAME, {}, ONE_AT_A_TIME))).message, /other side closed|terminated|ECONNRESET/);
    await assertNothingKept(bench, ETAG);
    const left = await list("blobs");
    assert.equal(left.length, 1);
    assert.match(left[0], /\.ijepa-stopped$/);
    assert.ok(hub.sent <= sent + 2 && hub.sent >= sent, "taken over, not fetched again");
    budget = 300_000;
  }
  hub.onCdn = undefined;
  assert.deepEqual(await read(NAME), WEIGHTS);
  assert.deepEqual(await list("blobs"), [ETAG]);
  assert.ok(hub.sent < 1.2 * WEIGHTS.length, `${hub.sent}`);
});

test("wrong bytes are fetched once more, then refused", async (t) => {
  for (const name of [NAME, "config.json"]) {
    const bench = await openBench(t);
    const { hub, read, list } = bench;
    const right = hub.files.get(name)!, wrong = right.map((byte, i) => (i === right.length - 5 ? byte ^ 1 : byte));
    let lies = 1;
    const lie = (request: IncomingMessage, response: ServerResponse): boolean => {
      const last = (request.headers.range ?? `-${right.length - 1}`).endsWith(`-${right.length - 1}`);
      if (request.method === "HEAD" || !last || lies-- <= 0) return false;
      hub.sendFile(request, response, wrong);
      return true;
    };
    if (name === NAME) hub.onCdn = lie;
    else hub.onHub = lie;
    assert.deepEqual(await read(name), right);

    const other = await openBench(t);
    other.hub.onCdn = (request, response) => (name === NAME ? (other.hub.sendFile(request, response, wrong), true) : false);
    other.hub.onHub = (request, response) => {
      if (name === NAME || request.method === "HEAD") return false;
      other.hub.sendFile(request, response, wrong);
      return true;
    };
    const error = await failure("hub/corrupt", () => other.read(name));
    assert.notEqual(error.details.actual, error.details.expected);
    assert.equal(other.hub.sent >= 2 * right.length, true, "fetched twice");
    assert.deepEqual(await other.list("blobs"), []);
    assert.deepEqual(await other.list("snapshots"), []);
    assert.equal((await list("blobs")).length, 1);
  }
});

test("bytes that an earlier download left wrong do not stay", async (t) => {
  const { hub, read } = await openBench(t);
  let parts = 0;
  hub.onCdn = (request, response) => {
    if (request.headers.range === "bytes=0-0") return false;
    if (parts++ === 0) hub.sendFile(request, response, WEIGHTS.map((byte) => byte ^ 1));
    else request.socket.destroy();
    return true;
  };
  await failure("io/read", () => read(NAME, {}, ONE_AT_A_TIME));
  hub.onCdn = undefined;
  assert.deepEqual(await read(NAME), WEIGHTS);
});

test("statuses of the Hub", async (t) => {
  const { hub, read, open } = await openBench(t);
  const answer = (status: number, code?: string, message?: string): void => {
    hub.onHub = (_, response) => {
      refuse(response, status, code, message);
      return true;
    };
  };
  const first = async (token: string | false = false): Promise<unknown> => (await open({ token })).open("config.json");

  answer(401, "RepoNotFound");
  const missing = await failure("hub/missing", () => first());
  assert.deepEqual(missing.details, { repo: REPO, revision: "main" });
  assert.match(missing.message, /neither a folder someone\/small-jepa here.*HF_TOKEN/);
  answer(404, "RevisionNotFound");
  assert.match((await failure("hub/missing", async () => (await open({ revision: "v9" })).open("config.json"))).message, /revision v9/);
  answer(404);
  await failure("hub/missing", () => first());

  answer(403, "GatedRepo", "Access to model someone/small-jepa is restricted.");
  const gated = await failure("hub/access", () => first());
  assert.deepEqual(gated.details, { repo: REPO, status: 403 });
  assert.match(gated.message, /is restricted.*conditions.*HF_TOKEN/);
  answer(401, "GatedRepo");
  assert.match((await failure("hub/access", () => first("hf_mine"))).message, /Check the token/);
  answer(401, undefined, "Invalid credentials in Authorization header");
  const invalid = await failure("hub/access", () => first("hf_mine"));
  assert.match(invalid.message, /Invalid credentials/);
  assert.ok(!invalid.message.includes("hf_mine"));

  answer(418);
  assert.match((await failure("io/read", () => first())).message, /HTTP status 418/);
  hub.requests.length = 0;
  answer(503);
  assert.match((await failure("io/read", () => first())).message, /HTTP status 503/);
  assert.equal(hub.requests.length, FAST.tries);
  let failures = 2;
  hub.onHub = (_, response) => (failures-- > 0 ? (refuse(response, 502), true) : false);
  assert.deepEqual(await read("config.json"), CONFIG);
});

test("429: as long as Retry-After says, and not at all when that is too long", async (t) => {
  const { hub, cache, read } = await openBench(t);
  const times: number[] = [];
  hub.onCdn = (_, response) => {
    times.push(Date.now());
    if (times.length > 1) return false;
    response.setHeader("retry-after", "0.3");
    refuse(response, 429);
    return true;
  };
  assert.deepEqual(await read(NAME), WEIGHTS);
  assert.ok(times[1] - times[0] >= 295, "it waited");

  hub.requests.length = 0;
  hub.files.set("other.json", CONFIG);
  hub.onHub = (_, response) => {
    response.setHeader("retry-after", "3600");
    refuse(response, 429);
    return true;
  };
  assert.match((await failure("io/read", () => read("other.json", { cache_dir: join(cache, "empty") }))).message, /429.*come back in 3600 seconds/);
  assert.equal(hub.requests.length, 1);
});

test("416, and servers without ranges: the file whole", async (t) => {
  for (const status of [416, 200]) {
    const { hub, read } = await openBench(t);
    let cuts = 1;
    hub.onCdn = (request, response) => {
      const isRange = request.headers.range !== undefined;
      delete request.headers.range;
      if (isRange && status === 416) refuse(response, 416);
      else if (isRange || cuts-- === 0) return false;
      else {
        // Such a server starts again from the first byte, and what is known is skipped.
        response.writeHead(200, { "content-length": WEIGHTS.length });
        response.write(WEIGHTS.subarray(0, 300_000), () => setTimeout(() => request.socket.end(), CUT_AFTER));
      }
      return true;
    };
    assert.deepEqual(await read(NAME), WEIGHTS);
    assert.equal(cuts, -1, "it was cut once");
  }
});

test("a store whose file has another length than the Hub says", async (t) => {
  const bench = await openBench(t);
  bench.hub.onCdn = (request, response) => {
    bench.hub.sendFile(request, response, WEIGHTS.subarray(1));
    return true;
  };
  assert.match((await failure("io/read", () => bench.read(NAME))).message, /has 1000002 bytes of it, the Hub says 1000003/);
  await assertNothingKept(bench, ETAG);
});

test("a signed address that has ended is asked for anew", async (t) => {
  const { hub, read } = await openBench(t);
  let ended = false, refused = 0;
  hub.onCdn = (request, response) => {
    if (request.headers.range === "bytes=0-0") return false;
    if (ended || refused > 0) return false;
    refused++;
    ended = true;
    refuse(response, 403);
    return true;
  };
  assert.deepEqual(await read(NAME, {}, ONE_AT_A_TIME), WEIGHTS);
  assert.equal(hub.requests.filter(({ host, method }) => host === "hub" && method === "GET").length, 2);
});

test("silence is not waited for without end", async (t) => {
  const { hub, cache, read } = await openBench(t);
  let stalls = 2;
  hub.onCdn = (_, response) => {
    if (stalls-- <= 0) return false;
    if (stalls === 0) response.writeHead(206, { "content-length": 131072, "content-range": `bytes 0-131071/${WEIGHTS.length}` }).write(WEIGHTS.subarray(0, 10));
    return true;
  };
  assert.deepEqual(await read(NAME, {}, { pace: { silence: 150 } }), WEIGHTS);
  hub.onHub = () => true;
  assert.match((await failure("io/read", () => read(NAME, { cache_dir: join(cache, "empty") }, { pace: { silence: 50, tries: 2 } }))).message, /almost no data arrived for 0.05 seconds/);
});

test("an abort stops a download at once, and leaves what is there for the next", async (t) => {
  const bench = await openBench(t);
  const { hub, read, list } = bench;
  const controller = new AbortController();
  hub.onCdn = (request, response) => {
    if (request.headers.range === "bytes=0-0") return false;
    response.writeHead(206, { "content-length": 131072, "content-range": `bytes 0-131071/${WEIGHTS.length}` });
    response.write(WEIGHTS.subarray(0, 100_000));
    return true;
  };
  const progress_callback = ({ status }: ProgressInfo): void => {
    if (status === "progress") controller.abort();
  };
  await failure("aborted", () => read(NAME, { signal: controller.signal, progress_callback }, ONE_AT_A_TIME));
  await assertNothingKept(bench, ETAG);
  assert.equal((await list("blobs")).length, 1);
  hub.onCdn = undefined;
  hub.sent = 0;
  assert.deepEqual(await read(NAME), WEIGHTS);
  assert.ok(hub.sent < WEIGHTS.length, "something was there");
  await failure("aborted", () => read("config.json", { signal: AbortSignal.abort() }));
});

test("the token goes to the Hub, and never to the host of a redirect", async (t) => {
  const { hub, read } = await openBench(t);
  assert.deepEqual(await read(NAME, { token: "hf_secret" }), WEIGHTS);
  assert.deepEqual(await read("config.json", { token: "hf_secret" }), CONFIG);
  for (const { host, authorization, path } of hub.requests) {
    assert.equal(authorization, host === "hub" ? "Bearer hf_secret" : undefined, path);
  }
  assert.ok(hub.requests.some(({ host }) => host === "cdn"));
});

test("redirects within the Hub are followed, as for renamed models; those that lead nowhere are refused", async (t) => {
  const { hub, cache, read } = await openBench(t);
  hub.onHub = (request, response) => {
    if (!request.url?.startsWith(`/${REPO}/resolve/main/`)) return false;
    response.writeHead(307, { location: request.url.replace("main", "0123456789abcdef0123456789abcdef01234567") }).end();
    return true;
  };
  assert.deepEqual(await read("config.json", { token: "hf_secret" }), CONFIG);
  assert.ok(hub.requests.every(({ authorization }) => authorization === "Bearer hf_secret"));
  for (const [location, problem] of [["/round/and/round", /more than 10 times/], ["file:///etc/passwd", /something other than an http\(s\) URL/]] as const) {
    hub.onHub = (_, response) => {
      response.writeHead(302, { location }).end();
      return true;
    };
    assert.match((await failure("io/read", () => read("config.json", { cache_dir: join(cache, "empty") }))).message, problem);
  }
});

test("a server that is not the Hub", async (t) => {
  const { hub, open } = await openBench(t);
  const header: [name: string, value: string, problem: RegExp][] = [
    ["x-repo-commit", "no commit", /does not name the commit/],
    ["etag", '"../../escape"', /gives no usable ETag/],
    ["etag", "", /gives no usable ETag/],
  ];
  for (const [name, value, problem] of header) {
    hub.headers = { [name]: value };
    assert.match((await failure("io/read", async () => (await open()).open("config.json"))).message, problem);
  }
});

test("a caller's fetch makes every request", async (t) => {
  const { hub, open } = await openBench(t);
  const asked: string[] = [];
  const own: typeof fetch = async (input, init) => {
    asked.push(input instanceof Request ? input.url : input.toString());
    return fetch(input, init);
  };
  const folder = await open({ fetch: own });
  assert.deepEqual(await readWhole((await folder.open(NAME))!), WEIGHTS);
  assert.equal(asked.length, hub.requests.length);
});
