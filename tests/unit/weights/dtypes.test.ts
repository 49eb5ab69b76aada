/** Stored elements to f32, for every value of the 16-bit types. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstNonFinite, toFloat32 } from "../../../ts-api/src/weights/dtypes.js";
import { failure } from "./helpers.js";

const everyHalf = Uint16Array.from({ length: 65536 }, (_, i) => i);

function words(data: Float32Array): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
}

test("every f16 becomes the same number in f32", () => {
  const values = toFloat32(new Uint8Array(everyHalf.buffer), "F16");
  const bits = words(values);
  for (let half = 0; half < 65536; half++) {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 31 && fraction !== 0) {
      assert.equal(bits[half], (sign < 0 ? 0xff800000 : 0x7f800000) + fraction * 2 ** 13, `NaN ${half}`);
      continue;
    }
    const small = fraction * 2 ** -24;
    const normal = (1 + fraction / 1024) * 2 ** (exponent - 15);
    const expected = sign * (exponent === 31 ? Infinity : exponent === 0 ? small : normal);
    assert.ok(Object.is(values[half], expected), `${half}: ${values[half]} is not ${expected}`);
  }
});

test("every bf16 becomes the same bits in f32", () => {
  const bits = words(toFloat32(new Uint8Array(everyHalf.buffer), "BF16"));
  for (let half = 0; half < 65536; half++) assert.equal(bits[half], half * 65536);
});

test("f64 is rounded to the nearest f32, ties to even", () => {
  const doubles = [1 + 2 ** -24, 1 + 3 * 2 ** -24, 1 + 2 ** -24 + 2 ** -50, -0, 1e300, -1e300, 2 ** -150, 2 ** -149 * 0.75, Math.PI];
  const expected = [1, 1 + 2 ** -22, 1 + 2 ** -23, -0, Infinity, -Infinity, 0, 2 ** -149, 3.1415927410125732];
  assert.deepEqual([...toFloat32(new Uint8Array(Float64Array.from(doubles).buffer), "F64")], expected);
});

test("f32 keeps its bits, NaN included", () => {
  const bits = Uint32Array.of(0x7fc00001, 0x7f800001, 0xffffffff, 0x80000000, 0x00000001);
  assert.deepEqual(words(toFloat32(new Uint8Array(bits.buffer), "F32")), bits);
});

test("bytes may lie at any address, in a Buffer too", () => {
  const aligned: [string, Uint8Array][] = [
    ["F32", new Uint8Array(Float32Array.of(1.5, -2).buffer)],
    ["F16", Uint8Array.of(0x00, 0x3e, 0x00, 0xc0)],
    ["BF16", Uint8Array.of(0xc0, 0x3f, 0x00, 0xc0)],
    ["F64", new Uint8Array(Float64Array.of(1.5, -2).buffer)],
  ];
  for (const [dtype, bytes] of aligned) {
    for (let shift = 0; shift < 8; shift++) {
      const moved = new Uint8Array(bytes.length + 8);
      moved.set(bytes, shift);
      assert.deepEqual([...toFloat32(moved.subarray(shift, shift + bytes.length), dtype)], [1.5, -2], `${dtype} + ${shift}`);
      const buffer = Buffer.from(moved.buffer, shift, bytes.length);
      assert.deepEqual([...toFloat32(buffer, dtype)], [1.5, -2], `${dtype} Buffer + ${shift}`);
    }
  }
});

test("nothing becomes nothing", () => {
  for (const dtype of ["F32", "F16", "BF16", "F64"]) assert.equal(toFloat32(new Uint8Array(0), dtype).length, 0);
});

test("other dtypes are refused by name", async () => {
  for (const dtype of ["I32", "U8", "BOOL", "F8_E4M3", "C64", "f32", ""]) {
    const error = await failure("weights/dtype", () => toFloat32(new Uint8Array(8), dtype, "layernorm.weight"));
    assert.deepEqual(error.details, { tensor: "layernorm.weight", dtype });
  }
});

test("a broken element is refused", async () => {
  for (const dtype of ["F32", "F16", "BF16", "F64"]) await failure("weights/format", () => toFloat32(new Uint8Array(9), dtype));
});

test("the first value that is not finite is found", () => {
  assert.equal(firstNonFinite(Float32Array.of(0, -0, 3.4e38, -3.4e38, 1e-45)), -1);
  assert.equal(firstNonFinite(new Float32Array(0)), -1);
  for (const bad of [NaN, Infinity, -Infinity]) assert.equal(firstNonFinite(Float32Array.of(1, 2, bad, bad)), 2);
});
