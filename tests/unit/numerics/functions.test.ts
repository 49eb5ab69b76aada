/** The contract's functions against double precision: they are pinned to the bit elsewhere; here they are shown to be right. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { activate } from "../../../ts-api/src/backends/oracle/activation.js";
import { exp, exp2, laneSum, normalTail, reciprocal, rsqrt, sigmoid } from "../../../ts-api/src/backends/oracle/math.js";
import type { Activation } from "../../../ts-api/src/ops/activation.js";
import { phi } from "../../support/encoder-f64.js";

const points = Array.from({ length: 8001 }, (_, i) => Math.fround((i - 4000) / 400));

const TRUTH: Record<Activation, (x: number) => number> = {
  none: (x) => x,
  gelu: (x) => x * phi(x),
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  quickGelu: (x) => x / (1 + Math.exp(-1.702 * x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => Math.max(x, 0),
  relu2: (x) => Math.max(x, 0) ** 2,
  relu6: (x) => Math.min(Math.max(x, 0), 6),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  mish: (x) => x * Math.tanh(Math.log1p(Math.exp(x))),
  leakyRelu: (x) => (x > 0 ? x : 0.01 * x),
};

for (const [name, truth] of Object.entries(TRUTH) as [Activation, (x: number) => number][]) {
  test(`${name} is within 4e-7 of the exact value, relative to max(1, |x|)`, () => {
    for (const x of points) {
      const error = Math.abs(activate(name, x) - truth(x)) / Math.max(1, Math.abs(truth(x)));
      assert.ok(error < 4e-7, `${name}(${x}) is off by ${error}`);
    }
  });

  if (name === "none") continue;
  test(`${name} of anything is finite, never subnormal and never -0`, () => {
    for (const x of [0, -0, 1e-45, -1e-45, 2 ** -50, -(2 ** -50), 100, -100, 2 ** 50, -(2 ** 50), 3e38, -3e38, Infinity, -Infinity, NaN]) {
      const y = activate(name, x);
      assert.ok(Number.isFinite(y) && !Object.is(y, -0) && (y === 0 || Math.abs(y) >= 2 ** -126), `${name}(${x}) is ${y}`);
    }
  });
}

test("exp, exp2, reciprocal, rsqrt, sigmoid and the normal tail keep their stated errors", () => {
  const relative = (actual: number, truth: number) => Math.abs(actual / truth - 1);
  for (const x of points) {
    assert.ok(relative(exp(Math.fround(x * 6)), Math.exp(Math.fround(x * 6))) < 2.5e-7);
    assert.ok(relative(exp(x), Math.exp(x)) < 2.5e-7);
    assert.ok(relative(exp2(x), 2 ** x) < 2.5e-7);
    assert.ok(relative(sigmoid(x), 1 / (1 + Math.exp(-x))) < 5e-7);
    if (x <= 0) continue;
    assert.ok(relative(reciprocal(x), 1 / x) < 2.5e-7);
    assert.ok(relative(rsqrt(x), 1 / Math.sqrt(x)) < 2.5e-7);
    assert.ok(Math.abs(x * (normalTail(x) - phi(-x))) < 1e-7);
  }
});

test("laneSum is the pinned order: a permutation of the elements changes it, padding with zeros does not", () => {
  const values = points.map((x) => Math.fround(Math.sin(x) * 1000));
  const sum = laneSum(values.length, (i) => values[i]);
  const reversed = laneSum(values.length, (i) => values[values.length - 1 - i]);
  assert.notEqual(sum, reversed);
  assert.equal(laneSum(values.length + 63, (i) => values[i] ?? 0), sum);
  assert.ok(Math.abs(sum - values.reduce((a, b) => a + b, 0)) < 1);
});
