/** Commands with models of the Hub, against a stand-in on loopback. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { run } from "../../ts-api/src/cli/run.js";
import { COMMIT, openHubStandIn, refuse, type HubStandIn } from "../support/hub.js";
import { setHubEnvironment } from "../unit/hub/helpers.js";
import { finish, recordingHost, ROCKET, start, temporaryFolder, TINY } from "./helpers.js";

const REPO = "someone/tiny";

/** A stand-in that has the model, and an environment that leads there. */
async function openHub(t: TestContext): Promise<{ hub: HubStandIn; cache: string }> {
  const files = ["config.json", "model.safetensors"].map(async (name) => [name, new Uint8Array(await readFile(join(TINY, name)))] as const);
  const hub = await openHubStandIn(REPO, Object.fromEntries(await Promise.all(files)));
  t.after(() => hub.stop());
  const cache = await temporaryFolder(t);
  setHubEnvironment(t, { HF_ENDPOINT: hub.endpoint, HF_HOME: join(cache, "home") });
  return { hub, cache };
}

test("a model of the Hub by name: downloaded once, pinned, offline", async (t) => {
  const { hub, cache } = await openHub(t);
  const embed = async (model: string, ...options: string[]) => {
    const { code, stdout, stderr } = await finish(start(["embed", ROCKET, "--json", "--model", model, ...options]));
    assert.deepEqual([code, stderr], [0, ""]);
    return (JSON.parse(stdout) as { images: { numerics: { digest: string } }[] }).images[0].numerics.digest;
  };
  const expected = await embed(TINY);
  assert.equal(await embed(REPO, "--cache-dir", cache), expected);
  assert.equal(await embed(REPO, "--cache-dir", cache, "--revision", COMMIT), expected);
  hub.requests.length = 0;
  assert.equal(await embed(REPO, "--cache-dir", cache, "--local-files-only"), expected);
  assert.deepEqual(hub.requests, []);

  const fails = async (code: number, pattern: RegExp, ...args: string[]) => {
    const { code: actual, stdout, stderr } = await finish(start(args));
    assert.deepEqual([actual, stdout], [code, ""]);
    assert.match(stderr, pattern);
  };
  await fails(6, /^ijepa: .*\[hub\/offline\]\n$/, "embed", ROCKET, "--model", "someone/else", "--cache-dir", cache, "--local-files-only");
  await fails(6, /^ijepa: There is neither a folder someone\/else here, nor .*\[hub\/missing\]\n$/, "similarity", ROCKET, ROCKET, "--model", "someone/else");
  await fails(6, /^ijepa: There is no revision v9 .*\[hub\/missing\]\n$/, "verify", "--model", REPO, "--revision", "v9");
});

test("convert, inspect and compare know the Hub as the others do; with two models for both", async (t) => {
  const { hub, cache } = await openHub(t);
  const from = ["--cache-dir", join(cache, "mine")], offline = [...from, "--local-files-only"], target = join(cache, "packed");
  const ends = async (code: number, pattern: RegExp, ...args: string[]) => {
    const ended = await finish(start(args));
    assert.equal(ended.code, code, ended.stderr);
    assert.match(code === 0 ? ended.stdout : ended.stderr, pattern);
  };
  const commands = (model: string) => [["convert", model, target], ["inspect", model, "--source", REPO], ["compare", model, model, "--image", ROCKET]];
  for (const command of commands(REPO)) await ends(6, /\[hub\/offline\]/, ...command, ...offline);
  assert.deepEqual(hub.requests, []);
  await ends(6, /There is no revision v9 .*\[hub\/missing\]/, "convert", REPO, target, ...from, "--revision", "v9");
  await ends(0, /packed: int4/, "convert", REPO, target, ...from, "--revision", COMMIT);
  hub.requests.length = 0;
  await ends(0, /SQNR dB/, "inspect", REPO, "--source", REPO, "--dtype", "int4", ...offline, "--revision", COMMIT);
  await ends(0, /int4 beside fp32/, "compare", REPO, target, "--image", ROCKET, ...offline, "--revision", COMMIT);
  assert.deepEqual(hub.requests, []);
});

test("a name that is no folder: it is said at once that the Hub is asked; one that has no such model is not asked twice", async (t) => {
  const { hub, cache } = await openHub(t);
  for (const status of [404, 401]) {
    hub.onHub = (_, response) => (refuse(response, status, status === 401 ? "RepoNotFound" : undefined), true);
    hub.requests.length = 0;
    const host = recordingHost(["embed", ROCKET, "--model", "models/absent"], 200);
    assert.equal(await run(host), 6);
    assert.match(host.printed.stderr, /asking the Hugging Face Hub for models\/absent; there is no folder of this name here\r\x1b\[Kijepa: There is neither a folder models\/absent here, nor the model/);
    assert.equal(hub.requests.length, 1);
  }
  // Where nothing answers it is tried once more.
  await hub.stop();
  const host = recordingHost(["classify", ROCKET, "--model", "models/absent"], undefined);
  assert.equal(await run(host), 6);
  assert.match(host.printed.stderr, /ECONNREFUSED.*There is no folder \"?models\/absent\"? here, so the Hugging Face Hub was asked/);

  const silent = createServer(() => undefined).listen(0, "127.0.0.1");
  await new Promise((resolve) => silent.once("listening", resolve));
  setHubEnvironment(t, { HF_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, HF_HUB_CACHE: cache, HF_HOME: cache });
  const child = start(["similarity", ROCKET, ROCKET, "--model", "models/absent"]), said = new Promise<string>((resolve) => child.stderr!.setEncoding("utf8").once("data", resolve));
  assert.equal(await said, "ijepa: asking the Hugging Face Hub for models/absent; there is no folder of this name here\n");
  child.kill("SIGINT");
  await finish(child);
  silent.closeAllConnections();
  silent.close();
});

test("an address of the Hub's site is the model that it shows", async (t) => {
  await openHub(t);
  for (const address of [`https://huggingface.co/${REPO}`, `https://huggingface.co/${REPO}/tree/main`, `https://huggingface.co/${REPO}/tree/${COMMIT}`]) {
    const host = recordingHost(["inspect", address], undefined);
    assert.equal(await run(host), 0, host.printed.stderr);
  }
  const host = recordingHost(["inspect", `https://huggingface.co/${REPO}/tree/v9`], undefined);
  assert.equal(await run(host), 6);
  assert.match(host.printed.stderr, /There is no revision v9/);
});

test("a download has a bar on a terminal, also for one image", async (t) => {
  await openHub(t);
  const host = recordingHost(["embed", ROCKET, "--model", REPO], 80);
  assert.equal(await run(host), 0);
  assert.match(host.printed.stderr, /\r\x1b\[K\[#*\.*\] \d+\/\d+ MB of model\.safetensors/);
  assert.ok(host.printed.stderr.endsWith("\r\x1b[K"));
});
