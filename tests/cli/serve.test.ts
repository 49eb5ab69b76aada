/** `ijepa serve` as users run it: signals, ports, and clients that misbehave on the wire. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { pipeline } from "../../ts-api/src/index.js";
import { CHELSEA, ROCKET, TINY, finish, ijepa, start } from "./helpers.js";
import { send, startServer, stopped } from "./serve-helpers.js";

/** Ends a server that does not stop, so that the suite fails instead of hanging. */
const PATIENCE = { timeout: 120_000 };
const rocket = await readFile(ROCKET), chelsea = await readFile(CHELSEA);

async function digests(model: string): Promise<string[]> {
  const extract = await pipeline("image-feature-extraction", model, { dtype: "int4" });
  const features = await extract([CHELSEA, ROCKET], { pool: "mean" });
  await extract.dispose();
  return features.map(({ numerics }) => numerics.digest);
}

function digestOf(text: string): string {
  return (JSON.parse(text) as { numerics: { digest: string } }).numerics.digest;
}

/** Everything that comes back on a connection of one's own, up to its end. */
async function converse(url: string, speak: (socket: Socket) => void): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => (text += part));
  socket.on("error", () => undefined).once("connect", () => speak(socket));
  await new Promise((resolve) => socket.once("close", resolve));
  return text;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} in the middle of requests: all that were taken on are answered, exit code 0`, PATIENCE, async () => {
    const [expected] = await digests("models/demo");
    const server = await startServer(["--dtype", "int4"]);
    const answers = Array.from({ length: 20 }, () => send(server.url, "/embed", chelsea, "image/png"));
    let looks = 0;
    for (let arrived = 0; arrived < 20; looks++) {
      const { text } = await send(server.url, "/metrics", undefined, "");
      const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
      arrived = number(/^ijepa_requests_in_flight (\d+)$/m) + number(/^ijepa_requests_total\{route="\/embed",status="200"\} (\d+)$/m);
    }
    server.child.kill(signal);
    for (const { status, text } of await Promise.all(answers)) assert.deepEqual([status, digestOf(text)], [200, expected]);
    assert.deepEqual(await stopped(server), { answered: 20 + looks });
    await assert.rejects(send(server.url, "/healthz", undefined, ""), { code: "ECONNREFUSED" });
  });
}

test("clients that are slow, hang up, or speak no HTTP: each is let go, and the others are served", PATIENCE, async () => {
  const [expectedChelsea, expectedRocket] = await digests(TINY);
  const server = await startServer(["--model", TINY, "--dtype", "int4", "--timeout", "1", "--max-body", "200KiB"]);
  const head = (length: number) => `POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: ${length}\r\n\r\n`;
  const [slowBody, tooLong, nonsense, cut] = await Promise.all([
    converse(server.url, (socket) => socket.write(head(5000) + "\x89PNG")),
    converse(server.url, (socket) => socket.write(head(1_000_000) + "\x89PNG")),
    converse(server.url, (socket) => socket.write("\x16\x03\x01 hello\r\n\r\n")),
    converse(server.url, (socket) => void socket.write(head(5000) + "\x89PNG", () => socket.destroy())),
    converse(server.url, (socket) => void socket.write(head(rocket.length), () => socket.write(rocket, () => socket.destroy()))),
  ]);
  assert.match(slowBody, /^HTTP\/1\.1 408 .*"code":"request\/timeout"/s);
  assert.match(tooLong, /^HTTP\/1\.1 413 .*"code":"request\/too-large"/s);
  assert.match(nonsense, /^HTTP\/1\.1 400 /);
  assert.equal(cut, "");
  assert.equal((await send(server.url, "/embed", chelsea, "image/png")).status, 413);
  const { status, text } = await send(server.url, "/embed", rocket, "image/jpeg");
  assert.deepEqual([status, digestOf(text)], [200, expectedRocket]);
  const metrics = await send(server.url, "/metrics", undefined, "");
  assert.match(metrics.text, /^ijepa_requests_in_flight 0$/m);
  assert.match(metrics.text, /^ijepa_info\{model="tiny",dtype="int4",device="wasm",numerics="1"\} 1$/m);
  assert.notEqual(expectedChelsea, expectedRocket);
  server.child.kill("SIGTERM");
  await stopped(server);
});

test("requests that Node itself refuses are answered as all others, with a body that says why", PATIENCE, async (t) => {
  const server = await startServer(["--model", TINY]);
  t.after(() => server.child.kill("SIGKILL"));
  const cases: [request: string, status: number, code: string][] = [
    ["\x16\x03\x01 hello\r\n\r\n", 400, "request/http"],
    ["GET /healthz HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", 400, "request/http"],
    ["POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "request/http"],
    ["POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "request/http"],
    ["GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "request/http"],
    ["GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", 400, "request/http"],
    [`GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${"a".repeat(20_000)}\r\n\r\n`, 431, "request/headers"],
    [`POST /embed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: image/png\r\n\r\n1;${"a".repeat(20_000)}\r\nx\r\n0\r\n\r\n`, 413, "request/too-large"],
    ["POST /embed HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 0\r\n\r\n", 417, "request/expectation"],
    ["GET /embed HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405, "request/method"],
  ];
  for (const [request, status, code] of cases) {
    const answer = await converse(server.url, (socket) => socket.write(request, "latin1")), [head, body] = answer.split("\r\n\r\n");
    assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} .*content-type: application/json`, "is"), request.slice(0, 60));
    const { error } = JSON.parse(body.replace(/^[0-9a-f]+\r\n|\r\n0$/g, "")) as { error: { code: string; message: string; type: string; param: null } };
    assert.deepEqual([error.code, error.type, error.param, error.message.length > 10], [code, "invalid_request_error", null, true], request.slice(0, 60));
  }
  // As health checks of load balancers ask, without a Host header.
  for (const request of ["GET /healthz HTTP/1.0\r\n\r\n", "HEAD /healthz HTTP/1.0\r\n\r\n"]) {
    assert.match(await converse(server.url, (socket) => socket.write(request)), /^HTTP\/1\.1 200 OK/);
  }
  assert.equal((await send(server.url, "/healthz", undefined, "")).status, 200);
  server.child.kill("SIGTERM");
  await stopped(server);
});

test("URLs: refused without --allow-urls; with it only public addresses", PATIENCE, async () => {
  const touched: string[] = [];
  const inside = createServer((socket) => {
    touched.push("connected");
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => inside.once("listening", resolve));
  const { port } = inside.address() as AddressInfo;
  const server = await startServer(["--model", TINY, "--allow-urls"]);
  const hosts = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "0.0.0.0"];
  for (const host of hosts) {
    const body = Buffer.from(JSON.stringify({ input: `http://${host}:${port}/photo.png` }));
    const { status, text } = await send(server.url, "/v1/embeddings", body, "application/json");
    assert.equal(status, 400, text);
    assert.match(text, /not a public one.*"param":"input\[0\]","code":"io\/read"/, host);
  }
  const withSecret = Buffer.from(JSON.stringify({ input: "http://user:word@example.com/" }));
  assert.match((await send(server.url, "/v1/embeddings", withSecret, "application/json")).text, /must not have a user or password/);
  assert.deepEqual(touched, []);
  inside.close();
  server.child.kill("SIGTERM");
  await stopped(server);
});

test("a port in use: exit code 6; a model that is not there: 4; wrong options: 2", PATIENCE, async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as AddressInfo;
  const { code, stdout, stderr } = await ijepa(["serve", "--model", TINY, "--port", String(port)]);
  taken.close();
  assert.deepEqual([code, stdout], [6, ""]);
  assert.equal(stderr, `ijepa: Cannot listen on 127.0.0.1:${port}: it is in use. Choose another port or host. [io/listen]\n`);
  assert.equal((await ijepa(["serve", "--model", "absent"])).code, 4);
  for (const wrong of [["--port", "65536"], ["--max-body", "20MB"], ["--max-body", "0"], ["--max-body", "2GiB"], ["--concurrency", "0"], ["--timeout", "1.5"], ["a.png"]]) {
    assert.equal((await ijepa(["serve", ...wrong])).code, 2, wrong.join(" "));
  }
});

test("without --json it says in words where it listens and what it did", PATIENCE, async () => {
  const server = await startServer(["--model", TINY]);
  const { port } = new URL(server.url);
  server.child.kill("SIGINT");
  await stopped(server);
  const child = start(["serve", "--model", TINY, "--port", port]);
  const ended = finish(child);
  child.stdout!.once("data", () => child.kill("SIGTERM"));
  const { code, stdout, stderr } = await ended;
  assert.deepEqual([code, stderr], [0, ""]);
  const [first, second] = stdout.split("\n");
  assert.equal(first.replace(/\(.*\)/, "(...)"), `http://127.0.0.1:${port} serves tiny (...)`);
  assert.equal(second, "Stopped; 0 requests were answered.");
});

test("docs/server.md shows the answer of the demo model; --cors names origins, and refuses what is none", PATIENCE, async () => {
  const documented = /^\{"model":"demo".*\}$/m.exec(await readFile("docs/server.md", "utf8"))![0];
  const server = await startServer(["--cors", "https://a.org", "--cors", "https://b.org"]);
  const { text, headers } = await send(server.url, "/embed?encoding_format=base64", rocket, "image/jpeg");
  assert.equal(text.replace(/("embedding":"\w{12})[^"]*/, "$1..."), documented);
  assert.equal(headers["access-control-expose-headers"], "retry-after");
  server.child.kill("SIGTERM");
  await stopped(server);
  const { code, stderr } = await ijepa(["serve", "--cors", "a.org"]);
  assert.deepEqual([code, stderr.startsWith('ijepa: --cors must be an origin such as "https://example.org", or "*", not "a.org".')], [2, true], stderr);
});
