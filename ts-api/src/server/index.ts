/** `ijepa/server`: a model as a web service, for any runtime that has Request and Response. */
export { createServer, type FetchImage, type ImageServer, type ServedPipeline, type ServerOptions } from "./server.js";
