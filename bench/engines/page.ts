/** The part that runs in a browser, and what it fetches. */
import { open, readFile, stat } from "node:fs/promises";
import { extname, resolve, sep } from "node:path";
import { absentBrowser, reportOf, type BrowserName } from "../../tests/support/browsers.js";
import type { Answer } from "../../tests/support/chromium.js";
import type { Job, Report } from "./timing.js";

const TYPES: Record<string, string> = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };
const PEERS = "bench/peers/node_modules/onnxruntime-web/dist/";
const SERVED = ["dist", "build/bench/engines", "build/tests/support", PEERS.slice(0, -1)];

const pageOf = (job: Job) => `<!doctype html><title>ijepa</title><script type="module">
  const report = (value) => fetch("/report/" + encodeURIComponent(JSON.stringify(value)));
  try {
    const { timeEngine } = await import("/build/bench/engines/timing.js"), library = await import("/dist/browser/index.js");
    const ort = async () => {
      const loaded = await import("/${PEERS}ort.wasm.min.mjs");
      loaded.env.wasm.wasmPaths = "/${PEERS}";
      return loaded;
    };
    const read = async (file) => new Uint8Array(await (await fetch(file)).arrayBuffer());
    const job = ${JSON.stringify(job)};
    report(await timeEngine({ library, ort, read }, { ...job, model: new URL(job.model, location.href).href }));
  } catch (error) {
    report({ error: String(error) });
  }
</script>`;

export { absentBrowser };

/** The job's model and peers are paths; the page gets them by address. */
export async function timeBrowser(name: BrowserName, job: Job): Promise<Report> {
  const places: Record<string, string> = { "files/model": job.model, ...Object.fromEntries(job.peers.map(({ file }, i) => [`files/${i}.onnx`, file])) };
  const page = pageOf({ ...job, model: "/files/model/", peers: job.peers.map((peer, i) => ({ ...peer, file: `/files/${i}.onnx` })) });
  const answer = async (path: string, range?: string): Promise<Answer> => {
    if (path === "") return { status: 200, type: "text/html", body: page };
    const place = Object.keys(places).find((prefix) => path === prefix || path.startsWith(`${prefix}/`));
    const file = resolve(place === undefined ? path : places[place] + path.slice(place.length));
    const roots = place === undefined ? SERVED.map((folder) => resolve(folder)) : [resolve(places[place])];
    if (!roots.some((root) => file === root || file.startsWith(root + sep))) return { status: 403, type: "text/plain", body: "" };
    return part(file, TYPES[extname(file)] ?? "application/octet-stream", range);
  };
  const report = await reportOf<Report | { error: string }>(name, answer);
  if ("error" in report) throw new Error(report.error);
  return report;
}

/** A file, or the bytes of it that a Range header names. */
async function part(path: string, type: string, range: string | undefined): Promise<Answer> {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  if (first === undefined) return { status: 200, type, body: await readFile(path) };
  const { size } = await stat(path), begin = Number(first), end = Math.min(Number(last), size - 1);
  const file = await open(path);
  try {
    const body = new Uint8Array(end - begin + 1);
    await file.read(body, 0, body.length, begin);
    return { status: 206, type, body, headers: { "Content-Range": `bytes ${begin}-${end}/${size}` } };
  } finally {
    await file.close();
  }
}
