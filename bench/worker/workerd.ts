/** workerd with one Worker and nothing else in its process; its memory as Linux counts it. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { bundleWorker } from "../../tests/package/bundle.js";

/** Names of the bindings of examples/worker. */
export type Store = "ASSETS" | "BUCKET";

export interface WorkerProcess {
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Resident memory in MB, as of now. */
  resident(): number;
  /** The most that was resident since `forgetPeak`. */
  peak(): number;
  forgetPeak(): void;
  close(): void;
}

/**
 * Starts examples/worker on what the build made.
 * @param address host:port of the store
 */
export async function startWorker(store: Store, address: string, vars: Readonly<Record<string, string>>): Promise<WorkerProcess> {
  const folder = mkdtempSync(join(tmpdir(), "ijepa-bench-worker-"));
  const modules = await bundleWorker("examples/worker/src/worker.js", { "ijepa/worker": resolve("dist/workerd/index.js") });
  for (const { path, contents } of modules) writeFileSync(join(folder, path), contents);
  const listed = modules.map(({ type, path }) => `(name = "${path}", ${type === "ESModule" ? "esModule" : "wasm"} = embed "${path}")`);
  const bindings = [
    ...Object.entries(vars).map(([name, text]) => `(name = "${name}", text = "${text}")`),
    `(name = "${store}", ${store === "BUCKET" ? "r2Bucket" : "service"} = "store")`,
  ];
  writeFileSync(join(folder, "config.capnp"), `
    using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [
        (name = "worker", worker = (compatibilityDate = "2026-07-01", modules = [${listed.join(", ")}], bindings = [${bindings.join(", ")}])),
        (name = "store", external = (address = "${address}", http = ())),
      ],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
    );`);
  const require = createRequire(resolve("tests/package/package.json"));
  const binary = require.resolve(`@cloudflare/workerd-${process.platform}-${process.arch === "x64" ? "64" : process.arch}/bin/workerd`);
  const child = spawn(binary, ["serve", join(folder, "config.capnp"), "--control-fd=3"], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
  const close = (): void => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const port = await listening(child.stdio[3] as Readable);
    const status = (field: string) => Number(new RegExp(`^${field}:\\s*(\\d+) kB$`, "m").exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))![1]) / 1024;
    return {
      fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
      resident: () => status("VmRSS"),
      peak: () => status("VmHWM"),
      forgetPeak: () => writeFileSync(`/proc/${child.pid}/clear_refs`, "5"),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** The port that workerd reports. */
async function listening(control: Readable): Promise<number> {
  let text = "";
  for await (const chunk of control) {
    text += String(chunk);
    const port = /"listen".*"port":(\d+)/.exec(text)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`workerd did not start: ${text}`);
}
