/** Collections of features: `ijepa/collections`. */
export { Collection, type AddReport, type CollectionOptions } from "./collection.js";
export type { CollectionWriter } from "./writer.js";
export { differences, LAYERS, type Encoding, type Layers } from "./encoding.js";
export { featureDigest, type CollectionFailure, type CollectionRow } from "./row.js";
export { memoryStorage } from "./memory-storage.js";
export type { FolderStorage, StorageLock } from "../runtime/storage.js";
export type { DamagedPart } from "./parts.js";
export type { PartsReport } from "./verify.js";
export type { SearchOptions, SearchQuery, SearchResult } from "./search.js";
export type { DuplicateGroup, DuplicateOptions } from "./duplicates.js";
export { FeatureEncoder, type FeatureEncoderOptions, type ImageFeature } from "./feature-encoder.js";
export { indexImages, type IndexOptions, type IndexReport } from "./indexing.js";
export { classifierFiles, filesAsModel, fitClassifier, folderLabels, type ClassifierFit, type ClassifierReport, type FitClassifierOptions, type Labels } from "./classifier.js";
export type { FitReport } from "../classifiers/fit.js";
export type { FittedHead } from "../classifiers/logistic.js";
