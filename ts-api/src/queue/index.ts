/** Many machines: `ijepa/queue` (docs/scaling.md). */
export { openBroker, type Broker } from "./broker.js";
export { ownerOf, type ImageJob, type JobResult, type RowMessage } from "./jobs.js";
export { indexThroughQueue, type QueueIndexOptions } from "./produce.js";
export { runJob, work, type JobOptions } from "./worker.js";
