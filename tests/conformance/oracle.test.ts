/** Every case on the oracle: its outputs have the digests of digests.txt. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { ALL_CASES, CHAINS } from "./cases.js";
import { assertMeaningful, digestOutputs, runCase } from "./run.js";

const FILE = "tests/conformance/digests.txt";
const stored = new Map(readFileSync(FILE, "utf8").trim().split("\n").filter(Boolean).map((line) => line.split(" ") as [string, string]));
const update = process.env.IJEPA_UPDATE_DIGESTS === "1";

const cases = [...ALL_CASES, ...CHAINS];

/** The oracle's words are the contract: they change only with NUMERICS_VERSION. */
for (const testCase of cases) {
  test(`oracle ${testCase.id}`, async () => {
    const outputs = await runCase(openOracle(), testCase);
    assertMeaningful(testCase, outputs);
    const digest = digestOutputs(outputs);
    if (update) stored.set(testCase.id, digest);
    assert.equal(digest, stored.get(testCase.id), `${testCase.id}: the oracle's words are not those of ${FILE}`);
  });
}

test("digests.txt has one line for every case and no other", () => {
  if (update) writeFileSync(FILE, cases.map(({ id }) => `${id} ${stored.get(id)}\n`).join(""));
  assert.deepEqual([...stored.keys()].sort(), cases.map(({ id }) => id).sort());
  assert.ok(ALL_CASES.length > 50 && CHAINS.length > 50);
});
