/** `verify` and `doctor` as functions: equal variants, and planted differences that are found. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Backend } from "../../../ts-api/src/backends/backend.js";
import { openOracle } from "../../../ts-api/src/backends/oracle/oracle.js";
import { doctor, DTYPES, IJepaModel, Tensor, verify, type Variant } from "../../../ts-api/src/index.js";
import { IJepaConfig } from "../../../ts-api/src/config/config.js";
import { resultsOf } from "../../../ts-api/src/ops/table.js";
import { seededPixels } from "../../../ts-api/src/verify/verify.js";
import { MODELS } from "../../support/models.js";

const TINY = `${MODELS}/tiny`;
const RECORDED = "models/demo/digests.json";
const oracle: Variant = { name: "oracle", open: async () => openOracle() };

/** The oracle, but in the `nth` call of `op` one bit of the result's element 5 is flipped. */
function planted(op: string, nth: number): Variant {
  const open = async (): Promise<Backend> => {
    const inner = openOracle();
    let seen = 0;
    return {
      ...inner,
      run(program) {
        inner.run(program);
        for (const call of program.calls) {
          if (call.op !== op || seen++ !== nth) continue;
          const [{ tensor }] = resultsOf(call);
          const bytes = (tensor as unknown as { u8: Uint8Array }).u8;
          bytes[5 * 4] ^= 1;
        }
      },
    };
  };
  return { name: `oracle with a wrong ${op}`, open };
}

test("the machine's variants are the same, and as recorded for the package's model", async () => {
  if (process.env.IJEPA_UPDATE_DIGESTS === "1") {
    const { rows } = await verify("models/demo");
    const digests = DTYPES.map((dtype) => [dtype, rows.find((row) => row.dtype === dtype)!.digest]);
    writeFileSync(RECORDED, `${JSON.stringify(Object.fromEntries(digests), null, 2)}\n`);
  }
  const seen: string[] = [];
  const report = await verify(undefined, { onRow: ({ variant }) => seen.push(variant) });
  assert.ok(report.same, JSON.stringify(report.rows.filter((row) => !row.same)));
  assert.deepEqual(report.recorded.map(({ dtype }) => dtype), [...DTYPES]);
  assert.equal(report.rows.length, seen.length);
  assert.ok(report.rows.some(({ variant }) => variant === "wasm simd128 2 threads"));
  assert.ok(report.rows.length % DTYPES.length === 0 && report.rows.length >= 2 * DTYPES.length);
});

test("a recorded digest is of the library's own result", async () => {
  const config = IJepaConfig.fromJSON(JSON.parse(readFileSync("models/demo/config.json", "utf8")));
  const { data, height, width } = seededPixels(config);
  const model = await IJepaModel.fromPretrained(undefined, { dtype: "int4" });
  const { numerics } = await model.forward({ pixelValues: new Tensor("float32", data, [1, 3, height, width]) });
  assert.equal(numerics.digest, (JSON.parse(readFileSync(RECORDED, "utf8")) as Record<string, string>).int4);
});

test("one flipped bit is found: the layer, the op, the place, both words", async () => {
  const report = await verify(TINY, { dtypes: ["bf16"], variants: [oracle, planted("attention", 1)] });
  assert.equal(report.same, false);
  assert.deepEqual(report.rows.map(({ same }) => same), [true, false]);
  const { part, op, buffer, coordinates, ulps, differing, total, actual, expected } = report.rows[1].difference!;
  assert.deepEqual({ part, op, buffer, coordinates, ulps, differing }, { part: "layer 1", op: "attention", buffer: "y", coordinates: [0, 0, 0, 5], ulps: 1, differing: 1 });
  assert.equal(total, 16 * 64);
  assert.equal((Number(actual) ^ Number(expected)) >>> 0, 1);
});

test("the embedding, the integers of an operand and the final norm are named too", async () => {
  const differenceOf = async (op: string, nth: number) =>
    (await verify(TINY, { dtypes: ["int4"], variants: [oracle, planted(op, nth)] })).rows[1].difference!;
  assert.equal((await differenceOf("patchify", 0)).part, "embedding");
  assert.equal((await differenceOf("layer-norm", 6)).part, "final norm");
  const operand = await differenceOf("quantize-rows", 1);
  assert.deepEqual([operand.part, operand.op, operand.ulps, operand.coordinates], ["layer 0", "quantize-rows", undefined, [0, 20]]);
});

test("doctor says what is here", async () => {
  const { runtime, cores, wasm, webgpu } = await doctor();
  assert.equal(runtime, `node ${process.versions.node}`);
  assert.ok(cores >= 1 && wasm.simd128);
  assert.deepEqual([...wasm.loops].sort(), wasm.relaxedSimd ? ["dot16_columns", "dot16_lanes", "dot16_pairs", "dot32"] : ["plain"]);
  assert.ok(webgpu.device === undefined ? webgpu.reason !== undefined : webgpu.attested);
});
