/** Hugging Face's Auto names: for I-JEPA there is one class behind each. */
import { IJepaImageProcessor } from "../image/processor.js";
import { IJepaForImageClassification } from "../model/classifier.js";
import { IJepaModel } from "../model/model.js";

export const AutoModel = IJepaModel;
export const AutoModelForImageClassification = IJepaForImageClassification;
export const AutoImageProcessor = IJepaImageProcessor;
