/**
 * Keeps what the page loads from its own origin: from the network while there is one, from the cache when there is none.
 * Models are read in ranges, which caches do not hold: the whole file is kept, and ranges are cut from it.
 * Threads need two headers; where the host does not send them, they are added here.
 */
const CACHE = "ijepa-4";
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
/** Whole files that ranges are cut from, by their URL: the cache would read them anew for every range. */
const files = new Map();
/** What the page loads before this worker has its requests. */
const FIRST = ["./", "style.css", "main.js", "offline.js"];
/** What may be needed offline though it was not used yet, once the page has time for it. The rest is kept as it is loaded. */
const LATER = [
  "album.js", "camera.js", "live.js", "many.js", "../photos/chelsea.png", "../photos/rocket.jpg", "../../dist/wasm/jpeg-decoder.wasm",
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
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
  event.respondWith(range === null ? whole(request).then(isolated) : part(request.url, Number(range[1]), Number(range[2])));
});

function isolated(response) {
  if (!response.ok || response.redirected || response.headers.has("cross-origin-embedder-policy")) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATED)) headers.set(name, value);
  return new Response(response.body, { status: response.status, headers });
}

async function whole(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request.url, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request.url);
    if (kept === undefined) throw error;
    return kept;
  }
}

/** The first range of a file asks the network whether it has changed; the others come from what was kept then. */
async function part(url, start, end) {
  let body = start === 0 ? undefined : await files.get(url);
  if (body === undefined) {
    const cache = await caches.open(CACHE), kept = start === 0 ? undefined : await cache.match(url);
    const response = kept ?? (await whole(new Request(url)));
    if (!response.ok) return response;
    files.set(url, response.blob());
    body = await files.get(url);
  }
  const last = Math.min(end, body.size - 1);
  if (start > last) return new Response(null, { status: 416 });
  const headers = { "content-range": `bytes ${start}-${last}/${body.size}`, "content-type": "application/octet-stream" };
  return new Response(body.slice(start, last + 1), { status: 206, headers });
}
