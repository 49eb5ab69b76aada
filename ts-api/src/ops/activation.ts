/** The activations of the kernels, with the number that a kernel receives. */
export const ACTIVATIONS = {
  none: 0, gelu: 1, geluTanh: 2, quickGelu: 3, silu: 4, relu: 5, relu2: 6, relu6: 7, sigmoid: 8, tanh: 9, selu: 10, mish: 11, leakyRelu: 12,
} as const;
export type Activation = keyof typeof ACTIVATIONS;

/** Hugging Face's names of the activations (transformers, `ACT2FN`, and torch's selu). */
const BY_HF_NAME: { readonly [N in ActivationName]: Activation } = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "geluTanh",
  gelu_fast: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  quick_gelu: "quickGelu",
  relu: "relu",
  relu2: "relu2",
  relu6: "relu6",
  silu: "silu",
  swish: "silu",
  selu: "selu",
  sigmoid: "sigmoid",
  tanh: "tanh",
  mish: "mish",
  leaky_relu: "leakyRelu",
  linear: "none",
};

/** Names that `hidden_act` and `pooler_act` may have. */
export type ActivationName =
  | "gelu" | "gelu_python" | "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "quick_gelu" | "relu" | "relu2" | "relu6" | "silu" | "swish"
  | "selu" | "sigmoid" | "tanh" | "mish" | "leaky_relu" | "linear";

export const ACTIVATION_NAMES = Object.keys(BY_HF_NAME) as readonly ActivationName[];

/** The kernel activation for `hidden_act` or `pooler_act`. */
export function activationOf(name: ActivationName): Activation {
  return BY_HF_NAME[name];
}
