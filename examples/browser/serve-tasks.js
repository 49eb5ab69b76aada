/**
 * The workers' side of client.js: one request after the other, { id, task, given } in; { id, progress }, then { id, result } or
 * { id, error } out. { stop: true } ends what is under way.
 */
import { IJepaError, isIJepaError } from "./library.js";

/** A result whose arrays and pictures move to the page instead of being copied. */
export class Handed {
  constructor(result, transfer) {
    Object.assign(this, { result, transfer });
  }
}

/** @param tasks by name: (arguments, report, signal) => result */
export function serveTasks(tasks) {
  let stopping = new AbortController(), queue = Promise.resolve();
  self.onmessage = ({ data: { id, task, given, stop } }) => {
    if (stop) return stopping.abort();
    queue = queue.then(async () => {
      if (stopping.signal.aborted) stopping = new AbortController();
      try {
        const made = await tasks[task](given, (progress) => self.postMessage({ id, progress }), stopping.signal);
        const { result, transfer } = made instanceof Handed ? made : new Handed(made, []);
        self.postMessage({ id, result }, transfer);
      } catch (error) {
        const code = isIJepaError(error) ? error.code : "unexpected";
        self.postMessage({ id, error: { code, message: error instanceof Error ? error.message : String(error) } });
      }
    });
  };
  self.postMessage({ ready: true });
}

/** What is being opened. Once it is stopped nobody waits for it: it is closed when it comes. @param opening a promise of something with `dispose` */
export function unlessStopped(opening, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      reject(new IJepaError("aborted", "Stopped.", { during: "opening" }));
      opening.then((late) => late.dispose(), () => {});
    };
    signal.addEventListener("abort", stop, { once: true });
    opening.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** From the library's `progress_callback` to what the page is told. */
export function loadingReport(report) {
  return ({ status, file, part, loaded, total }) => {
    if (status !== "progress") return;
    const share = total > 0 ? loaded / total : undefined;
    report({ text: part === undefined && file !== undefined ? `Downloading ${file}` : "Loading the model", part: share });
  };
}
