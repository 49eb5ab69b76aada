// The activations of the MLP, four lanes at a time. The numbers are the contract's (ts-api/src/ops/activation.ts).
//
// Before it: lib/math.wgsl. Twins: ts-api/src/backends/oracle/activation.ts, assembly/lib/activation.ts.

const NONE: u32 = 0;
const GELU: u32 = 1;
const GELU_TANH: u32 = 2;
const QUICK_GELU: u32 = 3;
const SILU: u32 = 4;
const RELU: u32 = 5;

const GELU_TANH_CUBIC: f32 = 0.044715;
const GELU_TANH_SLOPE: f32 = 1.5957691216057308;
const GELU_TANH_LIMIT: f32 = 16;
const QUICK_GELU_SLOPE: f32 = 1.702;

fn activate(kind: u32, x: vec4f) -> vec4f {
  switch (kind) {
    case GELU: { return gelu(bound(x)); }
    case GELU_TANH: { return geluTanh(bound(x)); }
    case QUICK_GELU: { return quickGelu(bound(x)); }
    case SILU: { return silu(bound(x)); }
    case RELU: { return relu(bound(x)); }
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
