/**
 * The activations of the MLP, four lanes at a time. The numbers are the contract's (ts-api/src/ops/activation.ts).
 *
 * Twins: ts-api/src/backends/oracle/activation.ts, gpu/lib/activation.wgsl.
 */
import {
  GELU_TANH_CUBIC, GELU_TANH_SLOPE, GELU_TANH_LIMIT, QUICK_GELU_SLOPE, SELU_SCALE, SELU_ALPHA, MISH_LIMIT, LEAKY_RELU_SLOPE,
  ONE, TWO, SIX, TAIL_LIMIT, splat,
} from "./constants";
import { bound, exp, reciprocal, sigmoid } from "./math";
import { BYTES, normalTails, tail } from "./normal-tail";

export const NONE: i32 = 0;
export const GELU: i32 = 1;
export const GELU_TANH: i32 = 2;
export const QUICK_GELU: i32 = 3;
export const SILU: i32 = 4;
export const RELU: i32 = 5;
export const RELU2: i32 = 6;
export const RELU6: i32 = 7;
export const SIGMOID: i32 = 8;
export const TANH: i32 = 9;
export const SELU: i32 = 10;
export const MISH: i32 = 11;
export const LEAKY_RELU: i32 = 12;

/** The activation of every float from `at` to `end`, in place; 576 bytes beyond `end` may change. */
export function activate(kind: i32, at: usize, end: usize): void {
  if (kind == GELU) {
    for (const room = end + BYTES; at < end; at += BYTES) gelus(at, room, room + BYTES);
  } else {
    for (; at < end; at += 16) v128.store(at, other(kind, v128.load(at)));
  }
}

/** GELU, the encoder's own, of 48 floats in place: x * Phi(x), Phi the standard normal's distribution. */
function gelus(at: usize, tails: usize, room: usize): void {
  const limit = splat(TAIL_LIMIT);
  for (let i: usize = 0; i < BYTES; i += 32) {
    const x0 = bound(v128.load(at + i)), x1 = bound(v128.load(at + i, 16));
    const t0 = f32x4.pmin(f32x4.abs(x0), limit), t1 = f32x4.pmin(f32x4.abs(x1), limit);
    v128.store(at + i, x1, 16);
    v128.store(at + i, x0);
    v128.store(tails + i, t1, 16);
    v128.store(tails + i, t0);
  }
  normalTails(tails, room);
  for (let i: usize = 0; i < BYTES; i += 32) {
    const y0 = gelu(v128.load(at + i), tail(v128.load(tails + i), v128.load(room + i)));
    const y1 = gelu(v128.load(at + i, 16), tail(v128.load(tails + i, 16), v128.load(room + i, 16)));
    v128.store(at + i, y1, 16);
    v128.store(at + i, y0);
  }
}

@inline
function other(kind: i32, x: v128): v128 {
  switch (kind) {
    case GELU_TANH: return geluTanh(bound(x));
    case QUICK_GELU: return quickGelu(bound(x));
    case SILU: return silu(bound(x));
    case RELU: return relu(bound(x));
    case RELU2: return relu2(bound(x));
    case RELU6: return f32x4.pmin(relu(bound(x)), splat(SIX));
    case SIGMOID: return sigmoid(bound(x));
    case TANH: return tanh(bound(x));
    case SELU: return selu(bound(x));
    case MISH: return mish(bound(x));
    case LEAKY_RELU: return leakyRelu(bound(x));
    default: return x;
  }
}

@inline
function gelu(x: v128, tail: v128): v128 {
  const negative = f32x4.lt(x, f32x4.splat(0));
  return f32x4.mul(x, v128.bitselect(tail, f32x4.sub(splat(ONE), tail), negative));
}

/** x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2. */
@inline
function geluTanh(x: v128): v128 {
  const c = f32x4.pmin(f32x4.pmax(x, f32x4.neg(splat(GELU_TANH_LIMIT))), splat(GELU_TANH_LIMIT));
  const cubic = f32x4.add(splat(ONE), f32x4.mul(f32x4.mul(c, c), splat(GELU_TANH_CUBIC)));
  return f32x4.mul(x, sigmoid(f32x4.mul(f32x4.mul(c, cubic), splat(GELU_TANH_SLOPE))));
}

@inline
function quickGelu(x: v128): v128 {
  return f32x4.mul(x, sigmoid(f32x4.mul(x, splat(QUICK_GELU_SLOPE))));
}

@inline
function silu(x: v128): v128 {
  return f32x4.mul(x, sigmoid(x));
}

@inline
function relu(x: v128): v128 {
  return f32x4.pmax(f32x4.splat(0), x);
}

@inline
function relu2(x: v128): v128 {
  return f32x4.mul(relu(x), relu(x));
}

/** (1 - e^-2|x|) / (1 + e^-2|x|), with the sign of x; never -0. */
@inline
function tanh(x: v128): v128 {
  const e = exp(f32x4.mul(f32x4.neg(splat(TWO)), f32x4.abs(x)));
  const magnitude = f32x4.mul(f32x4.sub(splat(ONE), e), reciprocal(f32x4.add(splat(ONE), e)));
  return v128.bitselect(f32x4.sub(f32x4.splat(0), magnitude), magnitude, f32x4.lt(x, f32x4.splat(0)));
}

@inline
function selu(x: v128): v128 {
  const negative = f32x4.mul(splat(SELU_ALPHA), f32x4.sub(exp(x), splat(ONE)));
  return f32x4.mul(splat(SELU_SCALE), v128.bitselect(x, negative, f32x4.gt(x, f32x4.splat(0))));
}

/** x * tanh(log(1 + e^x)) = x * n / (n + 2), n = e^x (e^x + 2). */
@inline
function mish(x: v128): v128 {
  const e = exp(f32x4.pmin(x, splat(MISH_LIMIT)));
  const n = f32x4.mul(e, f32x4.add(e, splat(TWO)));
  return f32x4.mul(x, f32x4.mul(n, reciprocal(f32x4.add(n, splat(TWO)))));
}

@inline
function leakyRelu(x: v128): v128 {
  return v128.bitselect(x, f32x4.mul(x, splat(LEAKY_RELU_SLOPE)), f32x4.gt(x, f32x4.splat(0)));
}
