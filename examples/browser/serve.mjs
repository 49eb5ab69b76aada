/**
 * Serves this page from a checkout: node examples/browser/serve.mjs [PORT]
 *
 * Any static server does, on the folder that has examples/, dist/ and models/. This one also sends the two headers that
 * browsers ask for before they give a page threads.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(new URL("../..", import.meta.url)));
const SERVED = ["examples", "dist", "models"];
const TYPES = {
  ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm",
  ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp",
};
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

const server = createServer(async (request, response) => {
  try {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    if (path === "/") return response.writeHead(302, { location: "/examples/browser/" }).end();
    const file = resolve(join(root, path.endsWith("/") ? `${path}index.html` : path));
    if (!SERVED.some((folder) => file.startsWith(join(root, folder) + sep))) return response.writeHead(403).end();
    const { size, mtimeMs } = await stat(file), etag = `"${size}-${mtimeMs}"`;
    const headers = { ...ISOLATED, etag, "cache-control": "no-cache" };
    if (request.headers["if-none-match"] === etag) return response.writeHead(304, headers).end();
    response.writeHead(200, { ...headers, "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-length": size });
    createReadStream(file).on("error", () => response.destroy()).pipe(response);
  } catch {
    response.writeHead(404).end();
  }
});
server.listen(Number(process.argv[2] ?? 8000), "localhost", () => console.log(`http://localhost:${server.address().port}/examples/browser/`));
