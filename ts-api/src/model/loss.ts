/** The losses of Hugging Face's image classifiers (transformers, `loss_utils.py`), in double precision. */
import { IJepaError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";

export const PROBLEM_TYPES = ["regression", "single_label_classification", "multi_label_classification"] as const;
export type ProblemType = (typeof PROBLEM_TYPES)[number];

/** Labels that do not count in the cross-entropy. */
const IGNORE_INDEX = -100;

/** One label: regression; whole numbers: single label; other numbers: several labels. */
export function inferProblemType(numLabels: number, labels: Tensor): ProblemType {
  if (numLabels === 1) return "regression";
  return labels.type === "int32" || labels.type === "uint8" ? "single_label_classification" : "multi_label_classification";
}

/**
 * @param logits [images, classes]
 * @param labels [images] classes (single label; -100 is ignored), or as many values as logits
 * @returns the mean: squared error, cross-entropy, or binary cross-entropy with logits. NaN if every label is ignored, as in torch
 * @throws IJepaError `input/shape`, `input/value`
 */
export function classificationLoss(type: ProblemType, logits: Tensor<"float32">, labels: Tensor): number {
  const [images, classes] = logits.dims;
  const expected = type === "single_label_classification" ? images : images * classes;
  if (labels.size !== expected) {
    const shape = type === "single_label_classification" ? `[${images}]` : `[${images}, ${classes}]`;
    throw new IJepaError("input/shape", `labels must be ${shape} for ${type}, not [${labels.dims.join(", ")}].`, { name: "labels", expected: shape, actual: labels.dims });
  }
  if (type === "single_label_classification") return crossEntropy(logits, labels);
  const each = type === "regression" ? squaredError : binaryCrossEntropy;
  let sum = 0;
  for (let i = 0; i < labels.size; i++) sum += each(logits.data[i], labels.data[i]);
  return sum / labels.size;
}

function crossEntropy(logits: Tensor<"float32">, labels: Tensor): number {
  const classes = logits.dims[1];
  let sum = 0, count = 0;
  labels.data.forEach((label, image) => {
    if (label === IGNORE_INDEX) return;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new IJepaError("input/value", `labels holds ${label} at index ${image}; classes go from 0 to ${classes - 1}.`, { name: "labels", value: label });
    }
    const row = logits.data.subarray(image * classes, (image + 1) * classes);
    const top = Math.max(...row);
    sum += Math.log(row.reduce((total, logit) => total + Math.exp(logit - top), 0)) + top - row[label];
    count++;
  });
  return sum / count;
}

function squaredError(logit: number, label: number): number {
  return (logit - label) ** 2;
}

/** -y log s(x) - (1 - y) log(1 - s(x)), without overflow. */
function binaryCrossEntropy(logit: number, label: number): number {
  return Math.max(logit, 0) - logit * label + Math.log1p(Math.exp(-Math.abs(logit)));
}
