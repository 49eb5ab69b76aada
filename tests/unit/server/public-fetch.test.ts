/** Downloads from public hosts only: addresses, redirects, limits. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { isIJepaError } from "../../../ts-api/src/index.js";
import { fetchPublic, isPublicAddress } from "../../../ts-api/src/runtime/public-fetch.js";

test("addresses that a server must not be talked into asking", () => {
  const inside = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "2001::1",
    "fc00::1", "fdab::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
  ];
  assert.deepEqual(inside.filter(isPublicAddress), []);
});

test("addresses of the internet", () => {
  const outside = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "223.255.255.1", "2606:4700::1111", "2a00::1", "::ffff:8.8.8.8"];
  assert.deepEqual(outside.filter((address) => !isPublicAddress(address)), []);
  assert.deepEqual(["example.com", "", "1.1.1", "1.1.1.1.1"].filter(isPublicAddress), []);
});

/** A host that the tests take for a public one. */
async function serve(t: TestContext, listener: RequestListener): Promise<URL> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://localhost:${(server.address() as AddressInfo).port}/photo`);
}

const mayAsk = () => true;
const signal = new AbortController().signal;
const refusal = (code: "io/read" | "input/value" | "aborted", text: RegExp) => (error: unknown) => isIJepaError(error, code) && text.test(error.message);

test("a download: the bytes, after redirects, and not more than the limit", async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === "/photo") response.writeHead(302, { location: "/there" }).end();
    else if (request.url === "/loop") response.writeHead(301, { location: "/loop" }).end();
    else if (request.url === "/file") response.writeHead(302, { location: "file:///etc/hostname" }).end();
    else if (request.url === "/absent") response.writeHead(404).end();
    else if (request.url === "/cut") response.writeHead(200, { "content-length": 100 }).write("abc", () => response.destroy());
    else response.end("the bytes");
  });
  const at = (path: string, maxBytes = 100) => fetchPublic(new URL(path, url), { maxBytes, signal, mayAsk });
  assert.equal(new TextDecoder().decode(await at("/photo")), "the bytes");
  assert.equal((await at("/there", 9)).length, 9);
  await assert.rejects(at("/there", 8), refusal("io/read", /more than 8 bytes/));
  await assert.rejects(at("/loop"), refusal("io/read", /redirected more than 3 times/));
  await assert.rejects(at("/file"), refusal("io/read", /something other than an http\(s\) URL/));
  await assert.rejects(at("/absent"), refusal("io/read", /answers 404/));
  await assert.rejects(at("/cut"), refusal("io/read", /Cannot read an image from localhost/));
  url.username = "user";
  await assert.rejects(at("/there"), refusal("input/value", /user or password/));
});

test("every redirect is looked at; nothing inside is asked", async (t) => {
  let asked = 0;
  const inside = await serve(t, (_, response) => response.end(String(++asked)));
  const outside = await serve(t, (_, response) => response.writeHead(302, { location: inside.href.replace("localhost", "127.0.0.1") }).end());
  // The names of "outside" may be asked, addresses in URLs are inside.
  const byName = (address: string) => address !== "127.0.0.1";
  const once = (() => {
    let calls = 0;
    return (address: string) => calls++ === 0 || byName(address);
  })();
  await assert.rejects(fetchPublic(outside, { maxBytes: 100, signal, mayAsk: once }), refusal("io/read", /not a public one/));
  await assert.rejects(fetchPublic(inside, { maxBytes: 100, signal }), refusal("io/read", /not a public one/));
  assert.equal(asked, 0);
});

test("an abort ends a download that hangs", async (t) => {
  const controller = new AbortController();
  const url = await serve(t, () => controller.abort());
  await assert.rejects(fetchPublic(url, { maxBytes: 100, signal: controller.signal, mayAsk }), refusal("aborted", /Aborted while reading localhost/));
  const half = new AbortController();
  const body = await serve(t, (_, response) => void response.writeHead(200).write("half", () => half.abort()));
  await assert.rejects(fetchPublic(body, { maxBytes: 100, signal: half.signal, mayAsk }), refusal("aborted", /Aborted/));
});
