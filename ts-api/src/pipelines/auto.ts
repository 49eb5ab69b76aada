/** Hugging Face's Auto names: for I-JEPA there is one class behind each. */
import { IJepaImageProcessor } from "../image/processor.js";
import { IJepaForImageClassification } from "../model/classifier.js";
import { IJepaModel } from "../model/model.js";
import { readProcessorConfig, type CheckpointOptions } from "../weights/checkpoint.js";

export const AutoModel = IJepaModel;
export const AutoModelForImageClassification = IJepaForImageClassification;

export const AutoImageProcessor = {
  /**
   * The image processor of a model folder or URL; no weights are read.
   *
   * @throws IJepaError `config/missing` without preprocessor_config.json, `config/field`, `io/read`, `aborted`
   */
  async fromPretrained(ref: string, options: CheckpointOptions = {}): Promise<IJepaImageProcessor> {
    return IJepaImageProcessor.fromConfig(await readProcessorConfig(ref, options));
  },
};
