/** Hugging Face's Auto names, each for the one I-JEPA class behind it. */
import { IJepaImageProcessor } from "../image/processor.js";
import { IJepaForImageClassification } from "../model/classifier.js";
import { IJepaModel } from "../model/model.js";

/** An encoder, by Hugging Face's name. */
export const AutoModel = IJepaModel;
/** An encoder with a classification head, by Hugging Face's name. */
export const AutoModelForImageClassification = IJepaForImageClassification;
/** The image processor of a model, by Hugging Face's name. */
export const AutoImageProcessor = IJepaImageProcessor;
/** The image processor of a model, by the name that Hugging Face's examples of I-JEPA use. */
export const AutoProcessor = IJepaImageProcessor;
