/** Every kernel of the CPU backend, in every module that this engine takes, against the oracle, word for word. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { exportOf, KERNELS, kernelsFor } from "../../ts-api/src/backends/wasm/kernels.js";
import { openWasm } from "../../ts-api/src/backends/wasm/wasm.js";
import { runtime } from "#runtime";
import { modulesHere, sharedModulesHere } from "../support/modules.js";
import { describedCalls, type Case } from "./case.js";
import { ALL_CASES } from "./cases.js";
import { assertSameWords, runCase } from "./run.js";

const covered = new Map<string, Set<string>>();

for (const { name: moduleName, module } of await modulesHere()) {
  const names = new Set(WebAssembly.Module.exports(module).map((entry) => entry.name));
  covered.set(moduleName, new Set());
  for (const testCase of ALL_CASES) {
    for (const kernel of kernelsOf(testCase).filter((candidate) => names.has(exportOf(candidate))).map(({ name }) => name)) {
      test(`${moduleName} ${kernel} ${testCase.id}`, async () => {
        const backend = await openWasm({ module, device: moduleName, allow: (name) => name === kernel });
        const expected = await runCase(openOracle(), testCase);
        assertSameWords(testCase, kernel, await runCase(backend, testCase), expected);
        [kernel, packerOf(kernel)].forEach((name) => name !== undefined && covered.get(moduleName)!.add(name));
      });
    }
  }
}

for (const { name: moduleName, module } of await sharedModulesHere()) {
  test(`${moduleName} on 3 threads: every case`, async (t) => {
    const backend = await openWasm({ module, device: moduleName, threads: 3, startThread: runtime.startThread });
    for (const testCase of ALL_CASES) {
      await t.test(testCase.id, async () => {
        assertSameWords(testCase, `${moduleName}, 3 threads`, await runCase(backend, testCase), await runCase(openOracle(), testCase));
      });
    }
    backend.dispose();
  });
}

test("every kernel of the table ran in every module that has it", async () => {
  const table = Object.values(KERNELS).flat().flatMap((kernel) => [kernel, ...(kernel.pack === undefined ? [] : [kernel.pack])] as Named[]);
  for (const { name: moduleName, module } of await modulesHere()) {
    const exported = WebAssembly.Module.exports(module).filter((entry) => entry.kind === "function").map((entry) => entry.name);
    const expected = table.filter((kernel) => exported.includes(exportOf(kernel))).map(({ name }) => name);
    assert.deepEqual([...covered.get(moduleName)!].sort(), [...new Set(expected)].sort(), moduleName);
    assert.deepEqual(exported.filter((name) => !table.some((kernel) => exportOf(kernel) === name)), [], `${moduleName} exports kernels that no table names`);
  }
});

type Named = Parameters<typeof exportOf>[0];

/** The kernels that accept the case's call; the tensors do not matter for that. */
function kernelsOf(testCase: Case): Named[] {
  return describedCalls(testCase).flatMap((call) => kernelsFor(call));
}

/** The kernel that runs before this one. */
function packerOf(kernel: string): string | undefined {
  return Object.values(KERNELS).flat().find(({ name }) => name === kernel)?.pack?.name;
}
