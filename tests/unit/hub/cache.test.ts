/** The cache on the disk: its layout, what needs the network, what several processes may do to it. */
import assert from "node:assert/strict";
import { lstat, mkdir, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ProgressInfo } from "../../../ts-api/src/index.js";
import type { Files } from "../../../ts-api/src/runtime/env.js";
import { HubClient } from "../../../ts-api/src/weights/hub/client.js";
import { DiskStore } from "../../../ts-api/src/weights/hub/disk.js";
import { DEFAULT_PACE } from "../../../ts-api/src/weights/hub/retry.js";
import { readSettings } from "../../../ts-api/src/weights/hub/settings.js";
import { COMMIT, gitSha } from "../../support/hub.js";
import { sha256 } from "../../support/sha256.js";
import { failure } from "../weights/helpers.js";
import { assertFile, assertNothingKept, CONFIG, FAST, openBench, readWhole, REPO, REPO_FOLDER, WEIGHTS } from "./helpers.js";
import { runtime } from "#runtime";

const ETAG = sha256(WEIGHTS);

test("files come from the Hub once, and lie where huggingface_hub looks for them", async (t) => {
  const { hub, cache, open, list } = await openBench(t);
  const folder = await open();
  assert.equal(folder.pathOf("config.json"), `${hub.endpoint}/${REPO}/resolve/main/config.json`);
  assert.deepEqual(await readWhole((await folder.open("config.json"))!), CONFIG);
  assert.equal(await folder.open("preprocessor_config.json"), undefined);
  assert.deepEqual(await readWhole((await folder.open("model.safetensors"))!), WEIGHTS);

  const root = join(cache, REPO_FOLDER);
  assert.equal(await readFile(join(root, "refs/main"), "utf8"), COMMIT);
  assert.deepEqual(await list("blobs"), [gitSha(CONFIG), ETAG].sort());
  await assertFile(join(root, "blobs", ETAG), WEIGHTS);
  assert.deepEqual(await list(`snapshots/${COMMIT}`), ["config.json", "model.safetensors"]);
  assert.equal(await readlink(join(root, "snapshots", COMMIT, "model.safetensors")), `../../blobs/${ETAG}`);
  assert.equal((await lstat(join(root, ".no_exist", COMMIT, "preprocessor_config.json"))).size, 0);
  assert.equal(hub.sent, CONFIG.length + WEIGHTS.length + 1, "every byte once, and one to see whether there are ranges");

  hub.requests.length = 0;
  const again = await open();
  for (const name of ["config.json", "preprocessor_config.json", "model.safetensors"]) await (await again.open(name))?.close();
  assert.deepEqual(hub.requests.map(({ method, path }) => `${method} ${path}`), [`HEAD /${REPO}/resolve/main/config.json`]);

  hub.requests.length = 0;
  const pinned = await open({ revision: COMMIT });
  for (const name of ["config.json", "preprocessor_config.json", "model.safetensors"]) await (await pinned.open(name))?.close();
  assert.deepEqual(hub.requests, [], "a commit cannot change");
});

test("what Python has cached is used", async (t) => {
  const { hub, cache, read } = await openBench(t);
  const root = join(cache, REPO_FOLDER);
  for (const folder of ["refs", "blobs", `snapshots/${COMMIT}`]) await mkdir(join(root, folder), { recursive: true });
  await writeFile(join(root, "refs/main"), COMMIT);
  await writeFile(join(root, "blobs", ETAG), WEIGHTS);
  await symlink(`../../blobs/${ETAG}`, join(root, "snapshots", COMMIT, "model.safetensors"));
  assert.deepEqual(await read("model.safetensors", { local_files_only: true }), WEIGHTS);
  assert.deepEqual(hub.requests, []);
});

test("offline: the cache alone, and hub/offline for what it lacks", async (t) => {
  const { hub, read, open } = await openBench(t);
  const empty = await failure("hub/offline", async () => (await open({ local_files_only: true })).open("config.json", { required: true }));
  assert.deepEqual(empty.details, { repo: REPO, revision: "main", file: "config.json" });
  assert.match(empty.message, /local_files_only/);

  await read("config.json");
  hub.requests.length = 0;
  process.env["HF_HUB_OFFLINE"] = "1";
  assert.deepEqual(await read("config.json"), CONFIG);
  assert.equal(await read("preprocessor_config.json"), undefined, "nobody knows; it is not needed");
  await failure("hub/offline", async () => (await open()).open("model.safetensors", { required: true }));
  await failure("hub/offline", async () => (await open({ revision: "v2" })).open("config.json", { required: true }));
  assert.deepEqual(hub.requests, []);
  assert.deepEqual(await read("model.safetensors", { local_files_only: false }), WEIGHTS, "the option wins over the environment");
});

test("a Hub that cannot be reached: the copy in the cache serves", async (t) => {
  const { hub, read } = await openBench(t);
  await read("config.json");
  await hub.stop();
  assert.deepEqual(await read("config.json"), CONFIG);
  const error = await failure("io/read", () => read("model.safetensors"));
  assert.match(error.message, /ECONNREFUSED/);
  await hub.start();
  hub.onHub = (_, response) => void response.writeHead(503).end() === undefined;
  assert.deepEqual(await read("config.json"), CONFIG);
});

test("a new commit on the branch is fetched; a blob that is there is only linked", async (t) => {
  const { hub, cache, read, list } = await openBench(t);
  await read("config.json");
  await read("model.safetensors");
  const next = COMMIT.replace("0", "f");
  hub.headers["x-repo-commit"] = next;
  hub.sent = 0;
  assert.deepEqual(await read("model.safetensors"), WEIGHTS);
  assert.equal(hub.sent, 0);
  assert.deepEqual(await list("snapshots"), [COMMIT, next].sort());
  assert.equal(await readFile(join(cache, REPO_FOLDER, "refs/main"), "utf8"), next);
});

test("progress is told in transformers.js's words", async (t) => {
  const { read } = await openBench(t);
  const told: ProgressInfo[] = [];
  const options = { progress_callback: (info: ProgressInfo) => void told.push(info) };
  await read("model.safetensors", options);
  assert.deepEqual([...new Set(told.map(({ status }) => status))], ["initiate", "download", "progress", "done"]);
  assert.ok(told.every(({ name, file }) => name === REPO && file === "model.safetensors"));
  const loaded = told.filter(({ status }) => status === "progress");
  assert.deepEqual(loaded.at(-1), { status: "progress", name: REPO, file: "model.safetensors", loaded: WEIGHTS.length, total: WEIGHTS.length, progress: 100 });
  assert.ok(loaded.every((info, i) => i === 0 || info.loaded > loaded[i - 1].loaded));

  told.length = 0;
  await read("model.safetensors", options);
  assert.deepEqual(told.map(({ status }) => status), ["initiate", "done"]);
});

test("links out of the cache are not followed", async (t) => {
  const { cache, read } = await openBench(t);
  await read("model.safetensors");
  const pointer = join(cache, REPO_FOLDER, "snapshots", COMMIT, "model.safetensors"), blobs = join(cache, REPO_FOLDER, "blobs");
  await rm(pointer);
  await symlink("/etc/hosts", pointer);
  assert.match((await failure("io/read", () => read("model.safetensors"))).message, /leads out of the Hub's cache.*\/etc\/hosts/);

  await rm(pointer);
  await rm(join(blobs, ETAG));
  await symlink("/etc", join(blobs, "outside"));
  await rename(blobs, `${blobs}-moved`);
  await symlink("/tmp", blobs);
  await failure("io/read", () => read("model.safetensors"));
});

test("a cache that is elsewhere by a link is as good as any", async (t) => {
  const { cache, read } = await openBench(t);
  await symlink(cache, `${cache}-link`);
  t.after(() => rm(`${cache}-link`));
  assert.deepEqual(await read("model.safetensors", { cache_dir: `${cache}-link` }), WEIGHTS);
  assert.deepEqual(await read("model.safetensors", { cache_dir: `${cache}/` }), WEIGHTS);
});

test("a disk that is full, and a cache that cannot be written: io/write, and nothing is lost", async (t) => {
  const bench = await openBench(t);
  const files = runtime.files!;
  const broken = (code: string, after: number): Files => ({
    ...files,
    async create(path) {
      const writer = await files.create(path);
      let written = 0;
      return {
        ...writer,
        async write(bytes) {
          if ((written += bytes.length) > after) throw Object.assign(new Error(`${code}: no`), { code });
          await writer.write(bytes);
        },
      };
    },
  });
  const client = new HubClient(REPO, await readSettings({}), { ...DEFAULT_PACE, ...FAST });
  const found = await client.find("model.safetensors", "main", undefined);
  for (const [code, after] of [["ENOSPC", 500_000], ["EROFS", 0]] as const) {
    const store = new DiskStore(broken(code, after), bench.cache, client);
    const error = await failure("io/write", () => store.fetch(found.file!, () => undefined, undefined));
    assert.match(error.message, new RegExp(`${code}.*cache_dir`));
    await assertNothingKept(bench, ETAG);
  }
  bench.hub.sent = 0;
  assert.deepEqual(await bench.read("model.safetensors"), WEIGHTS);
  assert.ok(bench.hub.sent < 700_000, "what was written before the disk was full is used");
  assert.deepEqual(await bench.list("blobs"), [ETAG]);

  await writeFile(join(bench.cache, "file"), "");
  await failure("io/write", () => bench.read("model.safetensors", { cache_dir: join(bench.cache, "file") }));
});

test("a blob of the wrong length is replaced", async (t) => {
  const { cache, read } = await openBench(t);
  await mkdir(join(cache, REPO_FOLDER, "blobs"), { recursive: true });
  const blob = join(cache, REPO_FOLDER, "blobs", ETAG);
  await writeFile(blob, WEIGHTS.subarray(0, 1000));
  assert.deepEqual(await read("model.safetensors"), WEIGHTS);
  await assertFile(blob, WEIGHTS);
});
