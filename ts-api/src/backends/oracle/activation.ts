/** The activations of the MLP, one rounding at a time. Twins: assembly/lib/activation.ts, gpu/lib/activation.wgsl. */
import type { Activation } from "../../ops/activation.js";
import { bound } from "../../core/float.js";
import { normalTail, sigmoid } from "./math.js";

const fround = Math.fround;

export const GELU_TANH_CUBIC = fround(0.044715);
/** 2 * sqrt(2 / pi). */
export const GELU_TANH_SLOPE = fround(1.5957691216057308);
/** Beyond it the tanh form is 0 or x in f32. */
export const GELU_TANH_LIMIT = 16;
export const QUICK_GELU_SLOPE = fround(1.702);

export function activate(kind: Activation, x: number): number {
  switch (kind) {
    case "gelu":
      return gelu(bound(x));
    case "geluTanh":
      return geluTanh(bound(x));
    case "quickGelu":
      return quickGelu(bound(x));
    case "silu":
      return silu(bound(x));
    case "relu":
      return bound(x) > 0 ? bound(x) : 0;
    case "none":
      return x;
  }
}

/** x * Phi(x), Phi the standard normal's distribution. */
function gelu(x: number): number {
  const tail = normalTail(Math.abs(x));
  return fround(x * (x < 0 ? tail : fround(1 - tail)));
}

/** x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2. */
function geluTanh(x: number): number {
  const c = x < -GELU_TANH_LIMIT ? -GELU_TANH_LIMIT : x > GELU_TANH_LIMIT ? GELU_TANH_LIMIT : x;
  const cubic = fround(1 + fround(fround(c * c) * GELU_TANH_CUBIC));
  return fround(x * sigmoid(fround(fround(c * cubic) * GELU_TANH_SLOPE)));
}

function quickGelu(x: number): number {
  return fround(x * sigmoid(fround(x * QUICK_GELU_SLOPE)));
}

function silu(x: number): number {
  return fround(x * sigmoid(x));
}
