/** Many machines: `ijepa/queue` (docs/scaling.md). */
export { openBroker, type Broker } from "./broker.js";
export { mismatchError, type AuditMismatch } from "./audit.js";
export { ownerOf, type Audit, type ImageJob, type JobResult, type RowMessage, type WorkerInfo } from "./jobs.js";
export { indexThroughQueue, type QueueIndexOptions, type QueueIndexReport, type QueueProgress } from "./produce.js";
export { runJob, work, workerInfo, type JobOptions, type WorkOptions } from "./worker.js";
