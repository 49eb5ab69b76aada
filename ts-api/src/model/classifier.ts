/** An encoder with a classification head: pixels in, logits out. */
import { IJepaError } from "../core/errors.js";
import { digestOf, NUMERICS_VERSION, type Numerics } from "../core/numerics.js";
import { readOptions } from "../core/options.js";
import { checkTensor, Tensor } from "../core/tensor.js";
import { expectedTensors } from "../weights/tensor-names.js";
import type { SaveLayout } from "../weights/save.js";
import { IJepaConfig } from "../config/config.js";
import { Head } from "./head.js";
import { checkInputs, CLASSIFIER_INPUTS, readForward, type ClassifierInputs, type ForwardOptions } from "./inputs.js";
import { classificationLoss, inferProblemType, PROBLEM_TYPES, type ProblemType } from "./loss.js";
import { statesOf, type LayerOutputs } from "./outputs.js";
import { meanPool, sideBySide } from "./pooling.js";
import { PreTrainedModel } from "./pretrained.js";
import { probePixels } from "./probe-pixels.js";
import { encoderReference } from "../weights/head-checkpoint.js";
import { modelAndOptions, type ModelRef } from "../weights/model-folder.js";
import { LOAD_OPTIONS, RANDOM_OPTIONS, Session, type ExtraLoader, type LoadOptions, type RandomOptions } from "../loading/session.js";

export type { ClassifierInputs } from "./inputs.js";

/** What `IJepaForImageClassification.forward` gives. */
export interface ClassifierOutput extends LayerOutputs {
  /** `[images, classes]`: the head on the mean of all tokens. */
  logits: Tensor<"float32">;
  /** `[images, tokens, width]`: the encoder's output, whose mean the head works on. */
  lastHiddenState: Tensor<"float32">;
  /** In double precision; of the type `config.problem_type`, or the one that Hugging Face infers from the labels. */
  loss?: number;
  /** `digest` is of the logits. */
  numerics: Numerics;
}

interface Extra {
  head: Head | undefined;
}

/** An I-JEPA encoder with a linear classifier on the mean of its tokens; with no labels (`num_labels` 0) the mean itself. */
export class IJepaForImageClassification extends PreTrainedModel<Extra> {
  protected readonly layout: SaveLayout;

  /** Random weights, as `new IJepaModel`, and a random head of `config.numLabels` classes. */
  constructor(config: IJepaConfig = new IJepaConfig(), options: RandomOptions = {}, session?: Session<Extra>) {
    super(session ?? Session.random(config, readOptions(options, RANDOM_OPTIONS, "IJepaForImageClassification"), loadHead));
    const names = [...expectedTensors(this.config, { classifier: true }).keys()];
    this.layout = { architecture: "IJepaForImageClassification", names, nameOf: (name) => (name.startsWith("classifier.") ? name : `ijepa.${name}`) };
  }

  /**
   * As IJepaModel.fromPretrained; the checkpoint must have `classifier.weight` and `classifier.bias`. (If there is no head, as in the
   * published I-JEPA checkpoints, Hugging Face makes a random one; here that is an error.)
   *
   * @throws IJepaError `weights/missing` without a head, and what IJepaModel.fromPretrained throws
   */
  static fromPretrained(options: LoadOptions): Promise<IJepaForImageClassification>;
  /** A classifier at the address in `options`, or that of the package. Throws the same errors as with a named model. */
  static fromPretrained(ref?: ModelRef | URL, options?: LoadOptions | null): Promise<IJepaForImageClassification>;
  static async fromPretrained(ref?: ModelRef | URL | LoadOptions, given?: LoadOptions | null): Promise<IJepaForImageClassification> {
    const [model, rest] = modelAndOptions(ref, given), options = readOptions(rest, LOAD_OPTIONS, "IJepaForImageClassification.fromPretrained");
    const session = await Session.open(model, options, loadHead), classifier = new IJepaForImageClassification(session.config, {}, session);
    try {
      await classifier.#checkEncoder(options.signal);
      return classifier;
    } catch (error) {
      await session.dispose();
      throw error;
    }
  }

  /**
   * Logits, and with labels the loss. Throws what IJepaModel.forward throws, and IJepaError `input/value` or `input/shape` for invalid
   * labels.
   */
  async forward(given: ClassifierInputs, givenOptions: ForwardOptions = {}): Promise<ClassifierOutput> {
    const { inputs, options } = readForward(given, givenOptions, CLASSIFIER_INPUTS);
    if (inputs.labels !== undefined) checkTensor("labels", inputs.labels, "int32", "uint8", "bool", "float32");
    const { pixels, ...checked } = checkInputs(inputs, this.config, options.interpolatePosEncoding);
    const { images } = pixels, { hiddenSize } = this.config, isDeep = encoderReference(this.config)?.layers === "last4";
    const { logits, lastHiddenState, result } = await this.session.run(options.signal, async ({ encoder, extra: { head } }) => {
      const result = await encoder.encode(pixels, { ...options, ...checked, outputHiddenStates: isDeep || options.outputHiddenStates });
      const lastHiddenState = new Tensor("float32", result.lastHiddenState, [images, result.tokens, hiddenSize]);
      const pooled = isDeep ? sideBySide(statesOf(result, images, this.config).hiddenStates!.slice(-4).map(meanPool)) : meanPool(lastHiddenState);
      return { logits: head === undefined ? pooled.data : await head.apply(pooled.data, images), lastHiddenState, result };
    });
    const output: ClassifierOutput = {
      logits: new Tensor("float32", logits, [images, logits.length / images]),
      lastHiddenState,
      numerics: await this.numericsOf(logits),
    };
    const { hiddenStates, ...states } = statesOf(result, images, this.config);
    Object.assign(output, states, hiddenStates !== undefined && options.outputHiddenStates ? { hiddenStates } : {});
    if (inputs.labels !== undefined) output.loss = classificationLoss(this.#problemType(inputs.labels), output.logits, inputs.labels);
    return output;
  }

  /** A head fitted on another encoder's features would give meaningless scores, so it is refused. */
  async #checkEncoder(signal: AbortSignal | undefined): Promise<void> {
    const reference = encoderReference(this.config);
    if (reference === undefined) return;
    const { name, revision, digest, dtype, numerics } = reference, wrong: string[] = [];
    if (this.dtype !== dtype) wrong.push(`weight format ${this.dtype}, not ${dtype}`);
    if (NUMERICS_VERSION !== numerics) wrong.push(`numeric contract ${NUMERICS_VERSION}, not ${numerics}`);
    if (wrong.length === 0) {
      const actual = await this.#probe(signal);
      if (actual !== digest) wrong.push(`encoder ${actual.slice(0, 12)}, not ${digest.slice(0, 12)}`);
    }
    if (wrong.length === 0) return;
    const encoder = `${name ?? "the package's own model"}${revision === null ? "" : ` at ${revision}`}`;
    const message = `The head was trained on other features, of ${encoder}: ${wrong.join("; ")}. Load it with the encoder that it was trained on, or train it again.`;
    throw new IJepaError("collection/encoding", message, { path: encoder, differences: wrong });
  }

  /** SHA-256 of the encoder's output for a fixed input. */
  async #probe(signal: AbortSignal | undefined): Promise<string> {
    const { pixels, ...checked } = checkInputs({ pixelValues: probePixels(this.config) }, this.config);
    const { lastHiddenState } = await this.session.run(signal, ({ encoder }) => encoder.encode(pixels, { signal, ...checked }));
    return digestOf(lastHiddenState);
  }

  #problemType(labels: Tensor): ProblemType {
    const type = this.config.toJSON().problem_type ?? inferProblemType(this.config.numLabels, labels);
    if (PROBLEM_TYPES.includes(type as ProblemType)) return type as ProblemType;
    throw new IJepaError("config/field", `problem_type must be one of ${PROBLEM_TYPES.join(", ")}.`, { field: "problem_type", value: type });
  }
}

async function loadHead({ config, has, read, backend }: Parameters<ExtraLoader<Extra>>[0]): Promise<Extra> {
  if (config.numLabels === 0) return { head: undefined };
  const names = ["classifier.weight", "classifier.bias"].filter((name) => !has(name));
  if (names.length > 0) {
    const message = `The checkpoint has no classification head: ${names.join(", ")} missing. Load it with IJepaModel, or fine-tune a head first.`;
    throw new IJepaError("weights/missing", message, { what: "tensor", names });
  }
  return { head: new Head(backend, "classifier", await read("classifier.weight"), await read("classifier.bias"), config.hiddenSize * (encoderReference(config)?.layers === "last4" ? 4 : 1)) };
}
