/** From the encoder's output for a batch to one feature for each image. */
import { IJepaError } from "../core/errors.js";
import type { OptionNames } from "../core/options.js";
import type { Tensor } from "../core/tensor.js";
import type { IJepaModel, ModelOutput } from "../model/model.js";
import { firstToken, meanPool, normalizeRows, sideBySide } from "../model/pooling.js";

export const FEATURE_POOLS = ["mean", "first", "none"] as const;
export const FEATURE_LAYERS = ["last", "last4"] as const;

export interface FeatureOptions {
  /** "mean" of the tokens (default), the "first" one, or "none": all of them. */
  pool?: (typeof FEATURE_POOLS)[number] | undefined;
  /** "last" (default): after the final norm. "last4": the last four hidden states, pooled, side by side. */
  layers?: (typeof FEATURE_LAYERS)[number] | undefined;
  /** Divide each row by its Euclidean norm. Default false. */
  normalize?: boolean | undefined;
}

export const FEATURE_OPTIONS: OptionNames<FeatureOptions> = { pool: true, layers: true, normalize: true };

/** @throws IJepaError `input/value` for values that are none of these, or a model with too few layers */
export function checkFeatureOptions({ pool = "mean", layers = "last", normalize = false }: FeatureOptions, { config }: IJepaModel): Required<FeatureOptions> {
  if (!FEATURE_POOLS.includes(pool)) throw wrong("pool", pool, `one of ${FEATURE_POOLS.join(", ")}`);
  if (!FEATURE_LAYERS.includes(layers)) throw wrong("layers", layers, `one of ${FEATURE_LAYERS.join(", ")}`);
  if (typeof normalize !== "boolean") throw wrong("normalize", normalize, "true or false");
  if (layers === "last4" && config.numHiddenLayers < 4) throw wrong("layers", layers, `"last" for a model of ${config.numHiddenLayers} layers`);
  return { pool, layers, normalize };
}

/** @returns [images, width], or [images, tokens, width] without pooling */
export function featuresOf({ lastHiddenState, hiddenStates }: ModelOutput, { pool, layers, normalize }: Required<FeatureOptions>): Tensor<"float32"> {
  const states = layers === "last" ? [lastHiddenState] : hiddenStates!.slice(-4);
  const features = sideBySide(states.map((state) => (pool === "mean" ? meanPool(state) : pool === "first" ? firstToken(state) : state)));
  return normalize ? normalizeRows(features) : features;
}

function wrong(name: string, value: unknown, expected: string): IJepaError {
  return new IJepaError("input/value", `${name} must be ${expected}, not ${JSON.stringify(value)}.`, { name, value });
}
