import { IJepaError } from "../core/errors.js";

/** The activations that the kernels know; the number is what a kernel is given. */
export const ACTIVATIONS = { none: 0, gelu: 1, geluTanh: 2, quickGelu: 3, silu: 4, relu: 5 } as const;
export type Activation = keyof typeof ACTIVATIONS;

/** Hugging Face's names for them (transformers, `ACT2FN`). */
const BY_HF_NAME: Record<string, Activation> = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "geluTanh",
  gelu_fast: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  quick_gelu: "quickGelu",
  silu: "silu",
  swish: "silu",
  relu: "relu",
  linear: "none",
};

/** The kernel activation for `hidden_act`. Throws `config/field` for one that no kernel computes. */
export function activationOf(hiddenAct: string): Activation {
  const activation = BY_HF_NAME[hiddenAct];
  if (activation === undefined) {
    throw new IJepaError("config/field", `hidden_act "${hiddenAct}" is not computed by this version. It knows ${Object.keys(BY_HF_NAME).join(", ")}.`, {
      field: "hidden_act",
      value: hiddenAct,
    });
  }
  return activation;
}
