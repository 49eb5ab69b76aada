/**
 * The activations of the MLP, four lanes at a time. The numbers are the contract's (ts-api/src/ops/activation.ts).
 *
 * Twins: ts-api/src/backends/oracle/activation.ts, gpu/lib/activation.wgsl.
 */
import { bound, normalTail, sigmoid } from "./math";

export const NONE: i32 = 0;
export const GELU: i32 = 1;
export const GELU_TANH: i32 = 2;
export const QUICK_GELU: i32 = 3;
export const SILU: i32 = 4;
export const RELU: i32 = 5;

export const GELU_TANH_CUBIC: f32 = 0.044715;
/** 2 * sqrt(2 / pi). */
export const GELU_TANH_SLOPE: f32 = 1.5957691216057308;
/** Beyond it the tanh form is 0 or x in f32. */
export const GELU_TANH_LIMIT: f32 = 16;
export const QUICK_GELU_SLOPE: f32 = 1.702;

export function activate(kind: i32, x: v128): v128 {
  switch (kind) {
    case GELU: return gelu(bound(x));
    case GELU_TANH: return geluTanh(bound(x));
    case QUICK_GELU: return quickGelu(bound(x));
    case SILU: return silu(bound(x));
    case RELU: return f32x4.pmax(f32x4.splat(0), bound(x));
    default: return x;
  }
}

/** x * Phi(x), Phi the standard normal's distribution. */
@inline
function gelu(x: v128): v128 {
  const tail = normalTail(f32x4.abs(x));
  const negative = f32x4.lt(x, f32x4.splat(0));
  return f32x4.mul(x, v128.bitselect(tail, f32x4.sub(f32x4.splat(1), tail), negative));
}

/** x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2. */
@inline
function geluTanh(x: v128): v128 {
  const c = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-GELU_TANH_LIMIT)), f32x4.splat(GELU_TANH_LIMIT));
  const cubic = f32x4.add(f32x4.splat(1), f32x4.mul(f32x4.mul(c, c), f32x4.splat(GELU_TANH_CUBIC)));
  return f32x4.mul(x, sigmoid(f32x4.mul(f32x4.mul(c, cubic), f32x4.splat(GELU_TANH_SLOPE))));
}

@inline
function quickGelu(x: v128): v128 {
  return f32x4.mul(x, sigmoid(f32x4.mul(x, f32x4.splat(QUICK_GELU_SLOPE))));
}

@inline
function silu(x: v128): v128 {
  return f32x4.mul(x, sigmoid(x));
}
