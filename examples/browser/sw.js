/**
 * Keeps what the page loads from its own origin: from the network while there is one, from the cache when there is none.
 * Models are read in ranges, which caches do not hold: the whole file is kept, and ranges are cut from it, the first while it arrives.
 * Threads need two headers; where the host does not send them, they are added here.
 */
const CACHE = "ijepa-5";
/** Caches of earlier versions of this worker. */
const OUTDATED = /^ijepa-\d+$/;
/** Larger files are not held in memory: their ranges wait until all of it is there. */
const MOST_ARRIVING = 2 ** 28;
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
/** Files that ranges are cut from, by their URL: the cache would read them anew for every range. */
const files = new Map();
/** What the page loads before this worker has its requests. */
const FIRST = ["./", "style.css", "main.js", "offline.js"];
/** What may be needed offline though it was not used yet, once the page has time for it. The rest is kept as it is loaded. */
const LATER = [
  "album.js", "camera.js", "live.js", "many.js", "ways.js", "../photos/chelsea.png", "../photos/rocket.jpg", "../../dist/wasm/jpeg-decoder.wasm",
  "../../dist/wasm/webp-decoder.wasm", "../../dist/vendor/pako.js", "../../dist/browser/decoder.js",
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FIRST)).then(() => self.skipWaiting()));
});

self.addEventListener("message", (event) => {
  if (event.data.keep) event.waitUntil(keepAll(LATER.map((path) => new URL(path, self.location.href).href)).catch(() => {}));
});

/** Keeps files and the modules that they import. */
async function keepAll(urls) {
  const cache = await caches.open(CACHE), known = new Set(urls);
  for (const url of known) {
    const response = (await cache.match(url)) ?? (await whole(new Request(url)));
    if (!url.endsWith(".js")) continue;
    for (const [, path] of (await response.clone().text()).matchAll(/\b(?:from|import)\s*\(?"(\.{1,2}\/[^"]+)"/g)) known.add(new URL(path, url).href);
  }
}

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter((name) => OUTDATED.test(name) && name !== CACHE).map((name) => caches.delete(name)))));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
  event.respondWith(range === null ? whole(request).then(isolated) : part(event, Number(range[1]), Number(range[2])));
});

function isolated(response) {
  if (!response.ok || response.redirected || response.headers.has("cross-origin-embedder-policy")) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATED)) headers.set(name, value);
  return new Response(response.body, { status: response.status, headers });
}

/** @param later told of the promise that the file is kept, where nobody is to wait for that */
async function whole(request, later) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) {
      // A browser that has no room for it shows the page all the same.
      const kept = cache.put(request.url, response.clone()).catch(() => {});
      if (later === undefined) await kept;
      else later(kept);
    }
    return response;
  } catch (error) {
    const kept = await cache.match(request.url, { ignoreSearch: request.mode === "navigate" });
    if (kept === undefined) throw error;
    return kept;
  }
}

/** The first range of a file asks the network whether it has changed; the others come from what arrives then, or was kept. */
async function part(event, start, end) {
  const { url } = event.request;
  let file = start === 0 ? undefined : files.get(url);
  if (file === undefined) {
    const kept = start === 0 ? undefined : await (await caches.open(CACHE)).match(url);
    const response = kept ?? (await whole(new Request(url), (keeping) => event.waitUntil(keeping)));
    if (!response.ok) return response;
    file = fileOf(response);
    files.set(url, file);
  }
  try {
    const { size, slice } = await file, last = Math.min(end, size - 1);
    if (start > last) return new Response(null, { status: 416 });
    const headers = { "content-range": `bytes ${start}-${last}/${size}`, "content-type": "application/octet-stream" };
    return new Response(await slice(start, last + 1), { status: 206, headers });
  } catch (error) {
    // The next range begins anew.
    if (files.get(url) === file) files.delete(url);
    throw error;
  }
}

/** @returns { size, slice(start, end) } */
async function fileOf(response) {
  const size = Number(response.headers.get("content-length"));
  if (size > 0 && size <= MOST_ARRIVING && !response.headers.has("content-encoding") && response.body !== null) return arriving(response.body, size);
  const body = await response.blob();
  return { size: body.size, slice: (start, end) => body.slice(start, end) };
}

/** A file on its way: a range is there once its last byte is. */
function arriving(body, size) {
  const bytes = new Uint8Array(size);
  let there = 0, failure, waiting = [];
  const tell = () => {
    const told = waiting;
    waiting = [];
    for (const go of told) go();
  };
  const take = async () => {
    for (const reader = body.getReader(); ; tell()) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes.set(value, there);
      there += value.length;
    }
    if (there < size) throw new TypeError(`The file ended after ${there} of ${size} bytes.`);
  };
  take().catch((error) => (failure = error)).then(tell);
  return {
    size,
    async slice(start, end) {
      while (there < end && failure === undefined) await new Promise((go) => waiting.push(go));
      if (there < end) throw failure;
      return bytes.slice(start, end);
    },
  };
}
