// The activations of the MLP, four lanes at a time. The numbers are the contract's (ts-api/src/ops/activation.ts).
//
// Before it: lib/math.wgsl. Twins: ts-api/src/backends/oracle/activation.ts, assembly/lib/activation.ts.

const NONE: u32 = 0;
const GELU: u32 = 1;
const GELU_TANH: u32 = 2;
const QUICK_GELU: u32 = 3;
const SILU: u32 = 4;
const RELU: u32 = 5;
const RELU2: u32 = 6;
const RELU6: u32 = 7;
const SIGMOID: u32 = 8;
const TANH: u32 = 9;
const SELU: u32 = 10;
const MISH: u32 = 11;
const LEAKY_RELU: u32 = 12;

const GELU_TANH_CUBIC: f32 = 0.044715;
const GELU_TANH_SLOPE: f32 = 1.5957691216057308;
const GELU_TANH_LIMIT: f32 = 16;
const QUICK_GELU_SLOPE: f32 = 1.702;
const SELU_SCALE: f32 = 1.0507009873554805;
const SELU_ALPHA: f32 = 1.6732632423543772;
const MISH_LIMIT: f32 = 20;
const LEAKY_RELU_SLOPE: f32 = 0.01;

fn activate(kind: u32, x: vec4f) -> vec4f {
  switch (kind) {
    case GELU: { return gelu(bound(x)); }
    case GELU_TANH: { return geluTanh(bound(x)); }
    case QUICK_GELU: { return quickGelu(bound(x)); }
    case SILU: { return silu(bound(x)); }
    case RELU: { return relu(bound(x)); }
    case RELU2: { return relu2(bound(x)); }
    case RELU6: { return min(relu(bound(x)), vec4f(6)); }
    case SIGMOID: { return sigmoid(bound(x)); }
    case TANH: { return tanhOf(bound(x)); }
    case SELU: { return selu(bound(x)); }
    case MISH: { return mish(bound(x)); }
    case LEAKY_RELU: { return leakyRelu(bound(x)); }
    default: { return x; }
  }
}

/// x * Phi(x), Phi the standard normal's distribution.
fn gelu(x: vec4f) -> vec4f {
  let tail = normalTail(abs(x));
  return pin(x * select(pin(vec4f(1) - tail), tail, x < vec4f(0)));
}

/// x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2.
fn geluTanh(x: vec4f) -> vec4f {
  let c = min(max(x, vec4f(-GELU_TANH_LIMIT)), vec4f(GELU_TANH_LIMIT));
  let cubic = pin(vec4f(1) + pin(pin(c * c) * GELU_TANH_CUBIC));
  return pin(x * sigmoid(pin(pin(c * cubic) * GELU_TANH_SLOPE)));
}

fn quickGelu(x: vec4f) -> vec4f {
  return pin(x * sigmoid(pin(x * QUICK_GELU_SLOPE)));
}

fn silu(x: vec4f) -> vec4f {
  return pin(x * sigmoid(x));
}

fn relu(x: vec4f) -> vec4f {
  return select(vec4f(0), x, x > vec4f(0));
}

fn relu2(x: vec4f) -> vec4f {
  return pin(relu(x) * relu(x));
}

/// (1 - e^-2|x|) / (1 + e^-2|x|), with the sign of x; never -0.
fn tanhOf(x: vec4f) -> vec4f {
  let e = exponential(pin(vec4f(-2) * abs(x)));
  let magnitude = pin(pin(vec4f(1) - e) * reciprocal(pin(vec4f(1) + e)));
  return select(magnitude, pin(vec4f(0) - magnitude), x < vec4f(0));
}

fn selu(x: vec4f) -> vec4f {
  let negative = pin(vec4f(SELU_ALPHA) * pin(exponential(x) - vec4f(1)));
  return pin(vec4f(SELU_SCALE) * select(negative, x, x > vec4f(0)));
}

/// x * tanh(log(1 + e^x)) = x * n / (n + 2), n = e^x (e^x + 2).
fn mish(x: vec4f) -> vec4f {
  let e = exponential(min(x, vec4f(MISH_LIMIT)));
  let n = pin(e * pin(e + vec4f(2)));
  return pin(x * pin(n * reciprocal(pin(n + vec4f(2)))));
}

fn leakyRelu(x: vec4f) -> vec4f {
  return select(pin(x * LEAKY_RELU_SLOPE), x, x > vec4f(0));
}
