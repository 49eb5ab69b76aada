/** The activations of the MLP, one rounding at a time. Twins: assembly/lib/activation.ts, gpu/lib/activation.wgsl. */
import type { Activation } from "../../ops/activation.js";
import { bound } from "../../core/float.js";
import { exp, normalTail, reciprocal, sigmoid } from "./math.js";

const fround = Math.fround;

export const GELU_TANH_CUBIC = fround(0.044715);
/** 2 * sqrt(2 / pi). */
export const GELU_TANH_SLOPE = fround(1.5957691216057308);
/** Beyond this limit the tanh form is 0 or x in f32. */
export const GELU_TANH_LIMIT = 16;
export const QUICK_GELU_SLOPE = fround(1.702);
export const SELU_SCALE = fround(1.0507009873554805);
export const SELU_ALPHA = fround(1.6732632423543772);
/** Beyond this limit mish is x in f32. */
export const MISH_LIMIT = 20;
export const LEAKY_RELU_SLOPE = fround(0.01);

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
      return relu(bound(x));
    case "relu2":
      return fround(relu(bound(x)) * relu(bound(x)));
    case "relu6":
      return Math.min(relu(bound(x)), 6);
    case "sigmoid":
      return sigmoid(bound(x));
    case "tanh":
      return tanh(bound(x));
    case "selu":
      return selu(bound(x));
    case "mish":
      return mish(bound(x));
    case "leakyRelu":
      return leakyRelu(bound(x));
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

function relu(x: number): number {
  return x > 0 ? x : 0;
}

/** (1 - e^-2|x|) / (1 + e^-2|x|), with the sign of x; never -0. */
function tanh(x: number): number {
  const e = exp(fround(-2 * Math.abs(x)));
  const magnitude = fround(fround(1 - e) * reciprocal(fround(1 + e)));
  return x < 0 ? fround(0 - magnitude) : magnitude;
}

function selu(x: number): number {
  return fround(SELU_SCALE * (x > 0 ? x : fround(SELU_ALPHA * fround(exp(x) - 1))));
}

/** x * tanh(log(1 + e^x)) = x * n / (n + 2), n = e^x (e^x + 2). */
function mish(x: number): number {
  const e = exp(x > MISH_LIMIT ? MISH_LIMIT : x);
  const n = fround(e * fround(e + 2));
  return fround(x * fround(n * reciprocal(fround(n + 2))));
}

function leakyRelu(x: number): number {
  return x > 0 ? x : fround(x * LEAKY_RELU_SLOPE);
}
