/**
 * Keeps what the page loads from its own origin: from the network while there is one, from the cache when there is none.
 * Models are read in ranges, which caches do not hold: the whole file is kept, and ranges are cut from it.
 */
const CACHE = "ijepa-3";
/** Whole files that ranges are cut from, by their URL: the cache would read them anew for every range. */
const files = new Map();
/** What may be needed offline though it was not used yet. The rest is kept as it is loaded. */
const WANTED = [
  "./", "style.css", "main.js", "client.js", "dropped.js", "engine.js", "library.js", "offline.js", "proof.js", "serve-tasks.js", "settings.js", "view.js",
  "album.js", "arrange.js", "labels.js", "library-collections.js", "many.js", "panel.js", "thumbnails.js", "wall.js",
  "../photos/chelsea.png", "../photos/rocket.jpg",
  "../../dist/wasm/jpeg-decoder.wasm", "../../dist/wasm/webp-decoder.wasm",
  "../../dist/vendor/pako.js",
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(WANTED)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
  event.respondWith(range === null ? whole(request) : part(request.url, Number(range[1]), Number(range[2])));
});

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
