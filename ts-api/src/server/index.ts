/** `ijepa/server`: a model as a web service. */
export { createServer, type ImageServer, type ServedPipeline } from "./server.js";
export type { FetchImage, ServerOptions } from "./server-options.js";
