/** The rooms of the house, and who may import whom: docs/architecture.md as data. */

export const ROOT = "ts-api/src";
/**
 * Each room with the rooms that it may import from; the list goes from the bottom of the house to the top, and a room imports only
 * from rooms listed before it. "#runtime" is the interface of the host, "#devices" what the build computes on,
 * "#embedded" copies of the package's files that the build makes.
 */
export const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  ops: ["core"],
  runtime: ["core", "#embedded"],
  quantize: ["core", "#runtime"],
  "backends/backend": ["core", "ops"],
  "backends/oracle": ["core", "ops", "backends/backend"],
  "backends/wasm": ["core", "ops", "backends/backend", "runtime/env", "#runtime"],
  "backends/webgpu": ["core", "ops", "backends/backend"],
  "backends/*": ["core", "ops", "backends/backend", "backends/wasm", "backends/webgpu", "runtime/env", "#runtime", "#devices"],
  config: ["core", "ops"],
  packing: ["core", "ops", "quantize", "backends/backend", "config"],
  weights: ["core", "ops", "quantize", "config", "runtime/env", "runtime/build-tool", "#runtime"],
  image: ["core", "weights/checkpoint", "weights/model-folder", "weights/source-options", "weights/sources/network", "weights/wrong-file", "#runtime"],
  decoding: ["core", "runtime/env", "runtime/modules", "image", "#runtime"],
  threads: ["backends/wasm", "decoding"],
  encoder: ["core", "ops", "backends/backend", "config", "packing"],
  calibrate: ["core", "ops", "quantize", "backends/backend", "backends/*", "config", "packing", "encoder"],
  loading: ["core", "ops", "quantize", "backends/backend", "backends/*", "config", "packing", "weights", "encoder", "calibrate", "#runtime"],
  model: ["core", "ops", "backends/backend", "backends/*", "config", "packing", "weights", "encoder", "loading"],
  pipelines: ["core", "config", "weights", "image", "loading", "model"],
  bulk: ["core", "runtime/env", "image", "decoding", "model", "pipelines", "#runtime"],
  visualize: ["core", "image", "model"],
  classifiers: ["core"],
  collections: ["core", "runtime/env", "runtime/storage", "#runtime", "weights", "image", "model", "pipelines", "decoding", "bulk", "classifiers"],
  queue: ["core", "#runtime", "decoding", "bulk", "collections"],
  server: ["core", "image", "decoding", "model", "pipelines", "#runtime"],
  verify: ["core", "ops", "backends/backend", "backends/wasm", "backends/webgpu", "backends/*", "config", "weights", "image", "encoder", "loading", "#runtime", "#devices"],
  index: ["core", "runtime/env", "runtime/modules", "backends/*", "config", "image", "decoding", "model", "pipelines", "bulk", "visualize", "verify"],
  transformers: ["core", "#runtime", "image", "index"],
  "weights-tools": ["core", "ops", "runtime/env", "#runtime", "quantize", "backends/backend", "backends/*", "config", "packing", "weights", "image", "encoder", "calibrate", "loading", "model", "pipelines"],
  cli: ["runtime", "#runtime", "collections", "queue", "server", "index", "weights-tools"],
};
