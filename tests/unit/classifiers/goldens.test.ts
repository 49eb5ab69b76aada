/** Heads on frozen features: against solutions in double precision (tests/goldens/README.md). */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { exp, log } from "../../../ts-api/src/classifiers/math.js";
import { LogisticRegression, probabilities } from "../../../ts-api/src/classifiers/logistic.js";
import { neighbourVotes } from "../../../ts-api/src/classifiers/neighbours.js";

const FOLDER = "tests/goldens/head";

interface Golden {
  metadata: Record<string, string>;
  floats(name: string): Float32Array | Float64Array;
  ints(name: string): Int32Array;
}

function golden(path: string): Golden {
  const bytes = readFileSync(path), length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...tensors } = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, { dtype: string; data_offsets: [number, number] }> & { __metadata__: Record<string, string> };
  const raw = (name: string) => {
    const { data_offsets: [begin, end], dtype } = tensors[name];
    return { dtype, buffer: new Uint8Array(bytes.subarray(8 + length + begin, 8 + length + end)).buffer };
  };
  return {
    metadata: metadata,
    floats: (name) => (raw(name).dtype === "F64" ? new Float64Array(raw(name).buffer) : new Float32Array(raw(name).buffer)),
    ints: (name) => new Int32Array(raw(name).buffer),
  };
}

const norm = (x: Float64Array) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
const farthest = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0);
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".safetensors")).sort();

test("there are goldens", () => assert.equal(files.length, 5));

for (const file of files) {
  test(`${file}: weights, probabilities and neighbours`, async (t) => {
    const { metadata, floats, ints } = golden(`${FOLDER}/${file}`), labels = ints("labels"), classes = Number(metadata["classes"]);
    const features = floats("features") as Float32Array, width = features.length / labels.length, examples = { features, width, labels, classes };
    const { head } = await new LogisticRegression(examples).fit(Number(metadata["C"])), weight = floats("weight") as Float64Array, bias = floats("bias") as Float64Array;
    const off = norm(head.weight.map((v, i) => v - weight[i])) / norm(weight), biasOff = norm(head.bias.map((v, i) => v - bias[i])) / norm(bias);
    const queries = floats("queries") as Float32Array, queryOf = (i: number) => queries.subarray(i * width, (i + 1) * width), count = queries.length / width;
    const all = (of: (query: Float32Array) => Float64Array) => Array.from({ length: count }, (_, i) => Array.from(of(queryOf(i)))).flat();
    const probabilityOff = farthest(all((query) => probabilities(head, query)), floats("probabilities"));
    const votesOff = farthest(all(neighbourVotes(examples, { k: 20, temperature: 0.07 })), floats("knn.k20.t0.07"));
    t.diagnostic(`weights ${off.toExponential(1)}, bias ${biasOff.toExponential(1)}, probabilities ${probabilityOff.toExponential(1)}, k-NN ${votesOff.toExponential(1)}, gradient ${head.gradient.toExponential(1)}, ${head.iterations} steps`);
    assert.ok(head.gradient < 1e-6);
    assert.ok(off < 1e-5 && biasOff < 1e-5);
    assert.ok(Math.abs(head.loss - Number(metadata["loss"])) < 1e-7);
    assert.ok(probabilityOff < 1e-6);
    assert.ok(votesOff < 1e-9);
  });
}

test("exp and log are within two units in the last place of those of the engine", () => {
  for (let i = 0; i <= 20000; i++) {
    const x = (i - 10000) * 0.0707;
    if (Math.abs(x) < 700) assert.ok(Math.abs(exp(x) - Math.exp(x)) <= 4.5e-16 * Math.exp(x), `exp(${x})`);
    const y = 1.001 ** (i - 10000) * (1 + i / 7);
    if (Number.isFinite(y) && y > 0) assert.ok(Math.abs(log(y) - Math.log(y)) <= 4.5e-16 * Math.max(Math.abs(Math.log(y)), 2 ** -20), `log(${y})`);
  }
  assert.deepEqual([exp(-800), exp(800), exp(0), exp(NaN), exp(-Infinity)], [0, Infinity, 1, NaN, 0]);
  assert.deepEqual([log(0), log(1), log(-1), log(Infinity)], [-Infinity, 0, NaN, Infinity]);
  for (const x of [-740, -720, -709, 709.7]) assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 1e-9, String(x));
  for (const y of [5e-324, 2 ** -1030, 1.7e308]) assert.ok(Math.abs(log(y) / Math.log(y) - 1) < 1e-15, String(y));
});
