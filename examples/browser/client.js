/** Calls to the worker as promises. */

const waiting = new Map();
let worker;

/** Starts the worker; rejects where its program cannot be loaded. */
export async function startEngine() {
  worker = new Worker(new URL("engine.js", import.meta.url), { type: "module" });
  await new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(`The engine did not start: ${event.message ?? "its program cannot be loaded"}`));
    worker.onmessage = resolve;
  });
  worker.onerror = ({ message }) => waiting.forEach(({ reject }) => reject(new Error(message)));
  worker.onmessage = ({ data: { id, progress, result, error } }) => {
    const { resolve, reject, report } = waiting.get(id);
    if (progress !== undefined) return report(progress);
    waiting.delete(id);
    if (error === undefined) resolve(result);
    else reject(Object.assign(new Error(error.message), { code: error.code }));
  };
}

/** Ends the call under way with the code "aborted". */
export function stop() {
  worker.postMessage({ stop: true });
}

/** @param report told of { text, part }, part from 0 to 1, or undefined */
export function call(task, given, report = () => {}) {
  return new Promise((resolve, reject) => {
    const id = crypto.randomUUID();
    waiting.set(id, { resolve, reject, report });
    worker.postMessage({ id, task, ...given });
  });
}
