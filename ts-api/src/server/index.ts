/** `ijepa/server`: a model as a web service. */
export { createServer, type FetchImage, type ImageServer, type ServedPipeline, type ServerOptions } from "./server.js";
