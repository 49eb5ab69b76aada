/** The public API of `ijepa/weights-tools`: converting, inspecting and comparing models. */
export type { Calibration } from "./calibration.js";
export { convertModel, type ConvertOptions, type ConvertProgress, type ConvertReport } from "./convert.js";
export { compareModels, type CompareOptions, type CompareReport } from "./compare.js";
export type { Estimate } from "./estimate.js";
export { inspectModel, type InspectOptions, type InspectReport, type LayerError } from "./inspect.js";
export type { WrittenFile } from "./packed-writer.js";
export type { FolderFile, FolderWriter } from "../ts-api/src/runtime/env.js";
