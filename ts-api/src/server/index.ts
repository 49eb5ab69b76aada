/** `ijepa/server`: a model as a web service. */
export { createServer, type ImageServer, type ServedPipeline } from "./server.js";
export type { FetchImage, SearchFeatures, ServerOptions } from "./server-options.js";
