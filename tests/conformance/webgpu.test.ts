/** Every kernel of the WebGPU backend, with fast and with pinned sums, against the oracle, word for word. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openOracle } from "../../ts-api/src/backends/oracle/oracle.js";
import { FUSIONS } from "../../ts-api/src/backends/webgpu/fusions.js";
import { KERNELS } from "../../ts-api/src/backends/webgpu/kernels.js";
import { openWebgpu, type WebgpuBackend } from "../../ts-api/src/backends/webgpu/webgpu.js";
import { gpuHere } from "../support/webgpu.js";
import { floats, output, type Case, type Chain } from "./case.js";
import { ALL_CASES, CHAINS } from "./cases.js";
import { assertSameWords, runCase, type Outputs } from "./run.js";
import { shadersFor } from "./webgpu-shaders.js";

const { gpu, reason } = await gpuHere();
const table = [...Object.values(KERNELS).flat(), ...FUSIONS];
/** More tokens than an invocation keeps scores of. */
const longAttention = (["fp32", "bf16"] as const).map((format): Case => {
  const id = `attention/${format}/1x1031-1x4-long`, [batch, tokens, heads, headDim] = [1, 1031, 1, 4];
  return {
    id,
    tensors: { x: floats(id, [batch, tokens, 3, heads, headDim], 1.5), y: output("f32", [batch, tokens, heads, headDim]) },
    call: ({ x, y }) => ({ op: "attention", format, batch, tokens, heads, headDim, x, y }),
  };
});
const cases = [...ALL_CASES, ...longAttention, ...CHAINS];
const expected = new Map<string, Promise<Outputs>>();

function oracleOutputs(testCase: Case | Chain): Promise<Outputs> {
  let outputs = expected.get(testCase.id);
  if (outputs === undefined) expected.set(testCase.id, (outputs = runCase(openOracle(), testCase)));
  return outputs;
}

if (gpu === undefined) {
  test("webgpu conformance", { skip: `not run: ${reason}` }, () => {});
} else {
  for (const tier of ["fast", "pinned"] as const) {
    const covered = new Set<string>();
    let kernel = "", backend: WebgpuBackend;
    const open = async () => (backend ??= await openWebgpu({ gpu, tier, allow: (name) => name === kernel }));
    after(() => backend?.dispose());
    for (const testCase of cases) {
      for (const { name } of shadersFor(testCase).filter(usable)) {
        test(`webgpu ${tier} ${name} ${testCase.id}`, async () => {
          kernel = name;
          const outputs = await runCase(await open(), testCase);
          assertSameWords(testCase, `${name} on ${backend.device}`, outputs, await oracleOutputs(testCase));
          covered.add(name);
        });
      }
    }
    test(`webgpu ${tier}: every kernel of the table ran`, () => {
      assert.deepEqual([...covered].sort(), table.filter(usable).map(({ name }) => name).sort());
      assert.ok(covered.size >= 20);
    });
  }
}

function usable({ feature }: { feature?: string }): boolean {
  return feature === undefined || gpu!.wgslLanguageFeatures.has(feature);
}
