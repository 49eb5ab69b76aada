/** The probes of backends/attest.ts: the oracle's digests, the CPU's kernels, and their strength against small errors. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { attest, runProbe } from "../../ts-api/src/backends/attest.js";
import type { Backend } from "../../ts-api/src/backends/backend.js";
import { openBackend } from "../../ts-api/src/backends/open.js";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { PROBE_DIGESTS } from "../../ts-api/src/backends/probe-digests.js";
import { probesFor } from "../../ts-api/src/backends/probes.js";
import { DTYPES } from "../../ts-api/src/core/numerics.js";
import { OPS } from "../../ts-api/src/ops/table.js";

const FILE = "ts-api/src/backends/probe-digests.ts";

test("the stored digests are the oracle's", async () => {
  const digests: Record<string, string> = {};
  for (const probe of probesFor()) digests[probe.id] = await runProbe(openOracle(), probe);
  if (process.env.IJEPA_UPDATE_DIGESTS === "1") {
    const lines = Object.entries(digests).map(([id, digest]) => `  ${JSON.stringify(id)}: "${digest}",\n`);
    writeFileSync(
      FILE,
      "/** Written by tests/conformance/attest.test.ts with IJEPA_UPDATE_DIGESTS=1; they change only with NUMERICS_VERSION. */\n" +
        `export const PROBE_DIGESTS = {\n${lines.join("")}};\n`,
    );
  }
  assert.deepEqual(PROBE_DIGESTS, digests);
});

test("every op is probed, for every dtype", () => {
  for (const dtype of DTYPES) {
    const ops = new Set(probesFor(dtype).map(({ id }) => id.split(" ")[0]));
    assert.deepEqual([...ops].sort(), Object.keys(OPS).sort(), dtype);
  }
});

test("a model's heads, its masks and its attention maps are probed too, for every dtype", () => {
  for (const dtype of DTYPES) {
    const ids = probesFor(dtype).map(({ id }) => id);
    for (const id of ["quantize-rows fp32", "linear fp32 none residual", "linear fp32 tanh"]) assert.ok(ids.includes(id), `${dtype}: ${id}`);
    assert.ok(ids.some((id) => /^attention \w+ masked keys probabilities$/.test(id)), dtype);
  }
});

test("the CPU attests", async () => {
  const backend = await openBackend("wasm");
  assert.equal(await attest(backend), undefined);
  backend.dispose();
});

test("one flipped bit in one word of one output is refused, with the probe's name", async () => {
  const right = new Map<string, Uint8Array>(), probes = probesFor();
  assert.equal(await attest(remembering(right), undefined, probes), undefined);
  for (const { id, tensors } of probes) {
    const outputs = Object.entries(tensors).filter(([, { bytes, scratch }]) => bytes === undefined && scratch !== true);
    for (const [name] of outputs) assert.equal(await attest(recalling(right, `${id} ${name}`), undefined, probes), id);
  }
});

/** An oracle that keeps what is read of it, by the tensor's name. */
function remembering(right: Map<string, Uint8Array>): Backend {
  const oracle = openOracle();
  return {
    ...oracle,
    async read(tensor) {
      const bytes = await oracle.read(tensor);
      right.set(tensor.name, bytes);
      return bytes;
    },
  };
}

/** A backend that knows the right words, and gives those of tensor `wrong` with one bit flipped. */
function recalling(right: ReadonlyMap<string, Uint8Array>, wrong: string): Backend {
  return {
    ...openOracle(),
    run: () => {},
    async read(tensor) {
      const bytes = right.get(tensor.name)!.slice();
      if (tensor.name === wrong) bytes[bytes.length - 4] ^= 1;
      return bytes;
    },
  };
}
