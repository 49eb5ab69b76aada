/** The digests of the demo model from the source tree; tests/package has those of the packed package in every runtime. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { INTEGER_LOOPS } from "../../ts-api/src/backends/wasm/kernels.js";
import { DTYPES, digestOf } from "../../ts-api/src/core/numerics.js";
import { IJepaImageProcessor, loadImage } from "../../ts-api/src/index.js";
import { absent, NODE24, plainEnv, unless } from "../support/engines.js";
import { DEMO_MODEL, encodeOn } from "../support/models.js";
import { demoDigests, PHOTOS } from "./digests.js";

const FILE = "tests/runtimes/demo-digests.json";

if (process.env.IJEPA_UPDATE_DIGESTS === "1") writeFileSync(FILE, `${JSON.stringify(await demoDigests(1), null, 2)}\n`);
const stored = JSON.parse(readFileSync(FILE, "utf8")) as Record<string, string>;

for (const threads of [1, 2]) {
  test(`digests of the demo model on this Node, ${threads} threads`, async () => {
    assert.deepEqual(await demoDigests(threads), stored);
  });
}

test("digests of the demo model on the oracle", async () => {
  const digests: Record<string, string> = {};
  const processor = IJepaImageProcessor.fromConfig(JSON.parse(readFileSync(`${DEMO_MODEL}/preprocessor_config.json`, "utf8")));
  for (const dtype of DTYPES) {
    for (const photo of PHOTOS) {
      const { pixelValues } = processor.preprocess(await loadImage(`examples/photos/${photo}`));
      const { lastHiddenState } = await encodeOn(openOracle(), DEMO_MODEL, dtype, pixelValues);
      digests[`${dtype} ${photo}`] = await digestOf(lastHiddenState);
    }
  }
  assert.deepEqual(digests, stored);
});

test("every kernel of both modules gives the oracle's words on Node 24, with vectors of 256 bits too", unless(absent(NODE24)), () => {
  const folder = "build/tests/conformance";
  const files = readdirSync(folder).filter((name) => /^(oracle|wasm)\.test\.js$/.test(name)).map((name) => `${folder}/${name}`);
  assert.equal(files.length, 2);
  const { status, stdout } = spawnSync(NODE24, ["--test", "--test-reporter=tap", ...files], { encoding: "utf8", env: plainEnv(), maxBuffer: 2 ** 26 });
  assert.equal(status, 0, stdout.split("\n").filter((line) => /^not ok|error:/.test(line)).join("\n"));
  for (const kind of process.arch === "x64" ? ["relaxed", "revectorized"] : ["relaxed"]) {
    for (const loop of INTEGER_LOOPS) assert.match(stdout, new RegExp(`^ok \\d+ - ${kind} ${loop} `, "m"));
  }
});

const elsewhere = process.arch === "x64" ? undefined : "not run: V8 revectorizes on x86-64";

test("--revectorize gives the same digests on Node 24, 1 and 2 threads", unless(elsewhere, absent(NODE24)), () => {
  for (const dtype of DTYPES) {
    for (const threads of ["1", "2"]) {
      const args = ["dist/cli.js", "embed", ...PHOTOS.map((photo) => `examples/photos/${photo}`), "--dtype", dtype, "--threads", threads, "--device", "wasm", "--revectorize", "--json"];
      const { status, stdout, stderr } = spawnSync(NODE24, args, { encoding: "utf8" });
      assert.equal(status, 0, stderr);
      const { images } = JSON.parse(stdout) as { images: { numerics: { digest: string; device: string } }[] };
      assert.deepEqual(images.map(({ numerics }) => numerics.digest), PHOTOS.map((photo) => stored[`${dtype} ${photo}`]));
    }
  }
});

test("V8 makes vectors of 256 bits with `revectorize`, and none without", unless(elsewhere, absent(NODE24)), () => {
  const vectorized = (revectorize: boolean) => {
    const program = `
      const { pipeline } = await import("./dist/index.js");
      const extract = await pipeline("image-feature-extraction", "models/demo", { dtype: "int4", device: "wasm", revectorize: ${revectorize} });
      await extract("examples/photos/rocket.jpg");
      await extract.dispose();`;
    const args = ["--trace-wasm-revectorize", "--input-type=module", "--eval", program];
    const { status, stdout, stderr } = spawnSync(NODE24, args, { encoding: "utf8", maxBuffer: 2 ** 26 });
    assert.equal(status, 0, stderr);
    return [...stdout.matchAll(/Decide to vectorize, \d{2,} revectorizable nodes/g)].length;
  };
  assert.ok(vectorized(true) >= 5);
  assert.equal(vectorized(false), 0);
});
