/** Random weights: one generator everywhere, of the right distributions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../../ts-api/src/core/numerics.js";
import { quantile, truncatedNormal, uniform, xoshiro128 } from "../../../ts-api/src/weights/random-numbers.js";

test("the words of xoshiro128++ from state 1, 2, 3, 4 are the published ones", () => {
  // Rust's rand_xoshiro checks itself against these, made by the authors' C program.
  const words = xoshiro128({ state: [1, 2, 3, 4] });
  assert.deepEqual(Array.from({ length: 10 }, words), [641, 1573767, 3222811527, 3517856514, 836907274, 4247214768, 3867114732, 1355841295, 495546011, 621204420]);
});

test("the inverse of the normal distribution is Python's, to the last places", () => {
  // statistics.NormalDist().inv_cdf
  const known = [
    [2 ** -53, -8.209536151601386], [1e-12, -7.034483825301132], [1e-5, -4.2648907939228256], [0.02, -2.0537489106318225], [0.0749, -1.4402382675279632],
    [0.075, -1.4395314709384557], [0.3, -0.5244005127080407], [0.5, 0], [0.77, 0.7388468491852137], [0.9, 1.2815515655446008], [0.99999, 4.26489079392384],
  ];
  for (const [p, z] of known) assert.ok(Math.abs(quantile(p) - z) <= 4e-16 * Math.max(1, Math.abs(z)), `${p}: ${quantile(p)}`);
});

test("uniform numbers are inside of 0 and 1", () => {
  const extremes = [0, 0xffffffff].map((word) => uniform(() => word));
  assert.deepEqual(extremes, [2 ** -53, 1 - 2 ** -53]);
});

function moments(values: Float32Array): { mean: number; deviation: number; kurtosis: number } {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const power = (n: number) => values.reduce((sum, v) => sum + (v - mean) ** n, 0) / values.length;
  return { mean, deviation: Math.sqrt(power(2)), kurtosis: power(4) / power(2) ** 2 };
}

test("deviation 0.02: a normal distribution that is not cut", () => {
  const values = truncatedNormal(200_000, 0.02, xoshiro128(7)), { mean, deviation, kurtosis } = moments(values);
  assert.ok(Math.abs(mean) < 2e-4 && Math.abs(deviation - 0.02) < 2e-4 && Math.abs(kurtosis - 3) < 0.05, `${mean} ${deviation} ${kurtosis}`);
});

test("large deviations are cut at 2, without a pile at the edges", () => {
  // The deviation of a normal distribution cut at z: 1 - 2 z phi(z) / (2 Phi(z) - 1) of its square; beyond, a uniform one's.
  for (const [std, expected] of [[1, 0.8796], [2, 1.0786], [1e6, 2 / Math.sqrt(3)], [1e300, 2 / Math.sqrt(3)]]) {
    const values = truncatedNormal(100_000, std, xoshiro128(11)), { mean, deviation } = moments(values);
    assert.ok(values.every((v) => Math.abs(v) <= 2));
    assert.ok(values.filter((v) => Math.abs(v) === 2).length < 3, "values lie on the limit");
    assert.ok(Math.abs(mean) < 0.02 && Math.abs(deviation - expected) < 0.01, `${std}: ${mean} ${deviation}`);
  }
  assert.deepEqual([...truncatedNormal(3, 0, xoshiro128(1))].map(Math.abs), [0, 0, 0]);
});

test("the bits are these, in every engine", async () => {
  assert.equal(await digestOf(truncatedNormal(10_000, 0.02, xoshiro128(1))), "c5fba07547b8e463dfc384a4fc0f9bc6309b53a050f2006413e7619ccc7f6d32");
});
