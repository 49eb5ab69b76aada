/** Calls to a worker as promises. */

/** @param program the worker's file, beside this one */
export function createClient(program) {
  const waiting = new Map();
  let worker;
  return {
    /** Starts the worker; rejects where its program cannot be loaded. */
    async start() {
      worker = new Worker(new URL(program, import.meta.url), { type: "module" });
      await new Promise((resolve, reject) => {
        worker.onerror = (event) => reject(new Error(`${program} did not start: ${event.message ?? "it cannot be loaded"}`));
        worker.onmessage = resolve;
      });
      worker.onerror = ({ message }) => waiting.forEach(({ reject }) => reject(new Error(message)));
      worker.onmessage = ({ data: { id, progress, result, error } }) => {
        // Work that was stopped may still report.
        if (!waiting.has(id)) return;
        const { resolve, reject, report } = waiting.get(id);
        if (progress !== undefined) return report(progress);
        waiting.delete(id);
        if (error === undefined) resolve(result);
        else reject(Object.assign(new Error(error.message), { code: error.code }));
      };
    },

    /** Ends the call under way with the code "aborted". */
    stop() {
      worker?.postMessage({ stop: true });
    },

    /** Ends the worker; calls under way are never answered. */
    end() {
      worker?.terminate();
    },

    /** @param report told of the worker's progress: { text, part }, part from 0 to 1, or undefined; and what else a task tells */
    call(task, given, report = () => {}) {
      return new Promise((resolve, reject) => {
        const id = crypto.randomUUID();
        waiting.set(id, { resolve, reject, report });
        worker.postMessage({ id, task, given });
      });
    },
  };
}
