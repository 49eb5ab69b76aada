/** A model on a stand-in for the Hub, and a cache, for one test. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ByteSource } from "../../../ts-api/src/runtime/env.js";
import type { ModelFolder } from "../../../ts-api/src/weights/model-folder.js";
import { openHubFolder, type HubParts } from "../../../ts-api/src/weights/hub/folder.js";
import type { Pace } from "../../../ts-api/src/weights/hub/retry.js";
import type { SourceOptions } from "../../../ts-api/src/weights/source-options.js";
import { readRange } from "../../../ts-api/src/weights/sources/bytes.js";
import { openHubStandIn, someBytes, type HubStandIn } from "../../support/hub.js";

export const REPO = "someone/small-jepa";
/** The folder of REPO in a cache. */
export const REPO_FOLDER = "models--someone--small-jepa";
export const CONFIG = new TextEncoder().encode('{"model_type": "ijepa"}\n');
/** Of several parts, the last one short. */
export const WEIGHTS = someBytes(1_000_003);

/** Downloads that hurry: everything else as for users. */
export const FAST: Partial<Pace> = { tries: 3, pause: 2, longestPause: 400, silence: 5000, partBytes: 2 ** 17, abandoned: 600 };

const VARIABLES = [
  "HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE",
  "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN",
];

/** Sets the Hub's environment variables for one test; those that are not named are not set, whatever the machine has. */
export function setHubEnvironment(test: TestContext, values: Record<string, string>): void {
  const before = VARIABLES.map((name) => [name, process.env[name]] as const);
  for (const name of VARIABLES) delete process.env[name];
  Object.assign(process.env, values);
  test.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
}

export interface Bench {
  hub: HubStandIn;
  /** An empty folder for the cache, where HF_HUB_CACHE points to. */
  cache: string;
  /** Opens REPO. */
  open(options?: SourceOptions, parts?: HubParts): Promise<ModelFolder>;
  /** Opens a file of REPO and reads it whole; undefined where there is none. */
  read(name: string, options?: SourceOptions, parts?: HubParts): Promise<Uint8Array | undefined>;
  /** Names in a folder of REPO in the cache. */
  list(folder: string): Promise<string[]>;
}

/** A stand-in with one model, and a cache, for one test. */
export async function openBench(test: TestContext, files: Record<string, Uint8Array> = { "config.json": CONFIG, "model.safetensors": WEIGHTS }): Promise<Bench> {
  const hub = await openHubStandIn(REPO, files);
  const cache = await mkdtemp(join(tmpdir(), "ijepa-hub-"));
  test.after(async () => {
    await hub.stop();
    await rm(cache, { recursive: true, force: true });
  });
  setHubEnvironment(test, { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_HOME: join(cache, "home") });
  const open: Bench["open"] = (options = {}, parts = {}) => openHubFolder(REPO, options, { ...parts, pace: { ...FAST, ...parts.pace } });
  return {
    hub,
    cache,
    open,
    async read(name, options = {}, parts = {}) {
      const source = await (await open(options, parts)).open(name, options);
      return source === undefined ? undefined : readWhole(source);
    },
    async list(folder) {
      const path = join(cache, REPO_FOLDER, folder);
      return existsSync(path) ? (await readdir(path)).sort() : [];
    },
  };
}

export async function readWhole(source: ByteSource): Promise<Uint8Array> {
  try {
    return await readRange(source, 0, source.size);
  } finally {
    await source.close();
  }
}

/** Nothing of the model is in the cache under a name that a reader would trust. */
export async function assertNothingKept({ list, cache }: Bench, etag: string): Promise<void> {
  assert.deepEqual((await list("blobs")).filter((name) => name === etag), []);
  for (const commit of await list("snapshots")) assert.ok(!(await readdir(join(cache, REPO_FOLDER, "snapshots", commit))).includes("model.safetensors"));
}

export async function assertFile(path: string, bytes: Uint8Array): Promise<void> {
  assert.ok(bytes.length === (await readFile(path)).length && Buffer.from(bytes).equals(await readFile(path)), path);
}
