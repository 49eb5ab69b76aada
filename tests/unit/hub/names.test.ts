/** Names, settings and digests: what is checked before anything is asked or written. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { modelOfAddress } from "../../../ts-api/src/weights/hub/names.js";
import { openCheckpoint } from "../../../ts-api/src/weights/checkpoint.js";
import { digestOfEtag, startDigest } from "../../../ts-api/src/weights/hub/digest.js";
import { openHubFolder } from "../../../ts-api/src/weights/hub/folder.js";
import { retryAfter } from "../../../ts-api/src/weights/hub/retry.js";
import { readSettings } from "../../../ts-api/src/weights/hub/settings.js";
import { COMMIT, gitSha, someBytes } from "../../support/hub.js";
import { sha256 } from "../../support/sha256.js";
import { failure, inFolder, smallModel } from "../weights/helpers.js";
import { openBench, REPO, setHubEnvironment } from "./helpers.js";
import { runtime } from "#runtime";

test("names that the Hub cannot have", async (t) => {
  setHubEnvironment(t, { HF_ENDPOINT: "http://127.0.0.1:1" });
  for (const name of ["a--b/c", "a/b..c", "-a/b", "a/b-", "a/b.git", `a/${"b".repeat(96)}`, "a./b"]) {
    assert.match((await failure("input/value", () => openCheckpoint(name))).message, /is neither a folder here nor the name of a model/, name);
  }
  // Paths are paths: nothing is asked.
  for (const path of ["./a/b", "../a", "a/b/c", "a\\b", "a b/c", "/a/b", "a/b/", "name"]) await failure("config/missing", () => openCheckpoint(path));
});

test("revisions and files with a way out of the cache", async (t) => {
  setHubEnvironment(t, {});
  for (const revision of ["", "..", "../main", "a/../b", "/main", "main/", "a//b", ".hidden", "-d", "a b", "a\\b", "a\0b", "a:b", "a~1", "x".repeat(300)]) {
    await failure("input/value", () => openHubFolder(REPO, { revision }));
  }
  await assert.rejects(() => openHubFolder(REPO, { revision: 3 as never }), TypeError);
  for (const revision of ["main", "v1.0", "refs/pr/1", "feature/x_y-z", COMMIT]) {
    const folder = await openHubFolder(REPO, { revision, local_files_only: true, cache_dir: "build/no-such-cache" });
    for (const file of ["", ".", "..", "../x", "a/b", "a\\b", "C:x", "a\nb"]) await failure("input/value", () => folder.open(file));
    assert.equal(await folder.open("config.json"), undefined);
  }
});

test("shards that an index names outside of the model are refused, before they are asked for", async (t) => {
  const { "config.json": config } = smallModel();
  const index = JSON.stringify({ weight_map: { "embeddings.cls": "../../../../etc/passwd.safetensors" } });
  const encode = (text: string | Uint8Array): Uint8Array => (typeof text === "string" ? new TextEncoder().encode(text) : text);
  const { hub } = await openBench(t, { "config.json": encode(config), "model.safetensors.index.json": encode(index) });
  assert.match((await failure("weights/format", () => openCheckpoint(REPO))).message, /not a plain name/);
  assert.ok(hub.requests.every(({ path }) => !path.includes("passwd")));
});

test("a folder of the name comes first", async (t) => {
  setHubEnvironment(t, { HF_ENDPOINT: "http://127.0.0.1:1" });
  await inFolder({}, async (folder) => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      await mkdir("someone/small-jepa", { recursive: true });
      for (const [name, content] of Object.entries(smallModel())) await writeFile(join(REPO, name), content);
      await (await openCheckpoint(REPO)).close();
    } finally {
      process.chdir(before);
    }
  });
});

test("the endpoint, the cache and the token, as huggingface_hub finds them", async (t) => {
  const settings = async (values: Record<string, string>, options = {}) => {
    setHubEnvironment(t, values);
    return readSettings(options);
  };
  const { home } = runtime.files!;
  const plain = await settings({ HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" });
  assert.deepEqual([plain.endpoint, plain.revision, plain.offline, plain.token], ["https://huggingface.co", "main", false, undefined]);
  assert.equal(plain.cacheFolder, `${home}/.cache/huggingface/hub`);

  const caches: [Record<string, string>, string][] = [
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
    [{ XDG_CACHE_HOME: "/x", HF_HOME: "~/h" }, `${home}/h/hub`],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old/" }, "/old"],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" }, "/new"],
    [{ HF_HOME: "", HF_HUB_CACHE: "" }, `${home}/.cache/huggingface/hub`],
  ];
  for (const [values, folder] of caches) assert.equal((await settings(values)).cacheFolder, folder);
  assert.equal((await settings({ HF_HUB_CACHE: "/new" }, { cache_dir: "~/own" })).cacheFolder, `${home}/own`);

  assert.equal((await settings({ HF_ENDPOINT: "https://mirror.example/hf//" })).endpoint, "https://mirror.example/hf");
  await failure("input/value", () => settings({ HF_ENDPOINT: "mirror.example" }));
  for (const value of ["1", "true", "YES", "on"]) assert.equal((await settings({ HF_HUB_OFFLINE: value })).offline, true);
  assert.equal((await settings({ HF_HUB_OFFLINE: "0" })).offline, false);

  await inFolder({ token: "hf_stored\n" }, async (folder) => {
    const HF_HOME = folder;
    assert.equal((await settings({ HF_HOME })).token, "hf_stored");
    assert.equal((await settings({ HF_HOME, HF_TOKEN: "hf_env" })).token, "hf_env");
    assert.equal((await settings({ HF_HOME, HF_TOKEN: "hf_env" }, { token: "hf_given" })).token, "hf_given");
    assert.equal((await settings({ HF_HOME, HF_TOKEN: "hf_env" }, { token: false })).token, undefined);
    assert.equal((await settings({ HF_HOME, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" })).token, undefined);
    assert.equal((await settings({ HF_HOME, HF_TOKEN_PATH: join(folder, "absent") })).token, undefined);
  });
  const error = await failure("input/value", () => settings({}, { token: "hf_a\nX-Evil: 1" }));
  assert.ok(!JSON.stringify([error.message, error.details]).includes("hf_a"));
  for (const options of [{ token: 3 }, { cache_dir: 3 }, { local_files_only: "yes" }]) await assert.rejects(() => settings({}, options), TypeError);
});

test("digests are those of git and of Git LFS, by the host and without it", async () => {
  const bytes = someBytes(300_001);
  const { createHash } = runtime;
  for (const own of [createHash, undefined]) {
    Object.assign(runtime, { createHash: own });
    try {
      for (const [kind, expected] of [["git", gitSha(bytes)], ["sha256", sha256(bytes)]] as const) {
        const hash = await startDigest(kind, bytes.length);
        for (let at = 0; at < bytes.length; at += 70_001) hash.update(bytes.subarray(at, at + 70_001));
        assert.equal(hash.hex(), expected);
      }
    } finally {
      Object.assign(runtime, { createHash });
    }
  }
  assert.deepEqual(digestOfEtag(sha256(bytes)), { kind: "sha256", hex: sha256(bytes) });
  assert.deepEqual(digestOfEtag(gitSha(bytes)), { kind: "git", hex: gitSha(bytes) });
  for (const etag of ["", "d41d8cd98f00b204e9800998ecf8427e", "abc-17", sha256(bytes).toUpperCase()]) assert.equal(digestOfEtag(etag), undefined);
});

test("Retry-After in seconds or as a date", () => {
  const now = Date.UTC(2026, 0, 1);
  const after = (value: string): number | undefined => retryAfter(new Headers({ "retry-after": value }), now);
  assert.equal(after("7"), 7000);
  assert.equal(after("Thu, 01 Jan 2026 00:01:00 GMT"), 60_000);
  assert.equal(after("Thu, 01 Jan 2015 00:00:00 GMT"), 0);
  assert.equal(after("soon"), undefined);
  assert.equal(retryAfter(new Headers(), now), undefined);
});

test("addresses of the Hub's site name a model, as people copy them", () => {
  const cases: [address: string, repo: string | undefined, revision?: string][] = [
    ["https://huggingface.co/facebook/ijepa_vith14_1k", "facebook/ijepa_vith14_1k"], ["https://huggingface.co/facebook/ijepa_vith14_1k/", "facebook/ijepa_vith14_1k"],
    ["HTTPS://HuggingFace.co/a/b?library=transformers#x", "a/b"], ["huggingface.co/a/b", "a/b"], ["http://www.huggingface.co/a/b", "a/b"], ["https://hf.co/a/b", "a/b"],
    ["https://huggingface.co/a/b/tree/main", "a/b", "main"], ["https://huggingface.co/a/b/blob/v1/config.json", "a/b", "v1"], ["https://huggingface.co/a/b/tree/refs%2Fpr%2F1", "a/b", "refs/pr/1"],
    ["https://huggingface.co/a/b/tree/refs/pr/1/x", "a/b", "refs/pr/1"], ["https://huggingface.co/a/b/raw/v1/config.json", "a/b", "v1"], ["https://huggingface.co/a/b/commit/0123abc", "a/b", "0123abc"],
    ["https://huggingface.co/a/b/tree/%E0%A4%A/x", "a/b", "%E0%A4%A"], ["https://huggingface.co/a/b/tree/caf%C3%A9", "a/b", "café"],
    ["https://huggingface.co/a", undefined], ["https://huggingface.co/datasets/a/b", undefined], ["https://huggingface.co/docs/transformers", undefined], ["https://huggingface.co/a/b/resolve/main", undefined],
    ["https://huggingface.co/a/b/discussions/1", undefined], ["https://example.org/a/b", undefined], ["https://huggingface.co.example.org/a/b", undefined], ["a/b", undefined], ["./huggingface.co/a/b", undefined],
  ];
  for (const [address, repo, revision] of cases) assert.deepEqual(modelOfAddress(address), repo && { repo, revision }, address);
});
