/** WebGPU reports errors asynchronously. This keeps the first one and throws it at the next call, as a typed error. */
import { IJepaError } from "../../core/errors.js";

export class Faults {
  #fault: IJepaError | undefined;
  #closed = false;
  #open: Promise<void>[] = [];

  constructor(private readonly device: GPUDevice) {
    void device.lost.then(({ reason, message }) => {
      if (!this.#closed) this.#fault ??= lost(`${message || "no message"} (${reason})`);
    });
  }

  /** Throws what went wrong so far. */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** Runs `action`. `explain` turns the message of an error of kind `filter` into the fault. */
  watch<T>(filter: GPUErrorFilter, action: () => T, explain: (message: string) => IJepaError): T {
    const { device } = this;
    device.pushErrorScope(filter);
    try {
      return action();
    } finally {
      const scope = device.popErrorScope().then(
        (error) => {
          if (error !== null && !this.#closed) this.#fault ??= explain(error.message);
        },
        () => undefined,
      );
      this.#open.push(scope);
    }
  }

  /** Waits for the errors of every watched action, then checks. */
  async settled(): Promise<void> {
    const open = this.#open;
    this.#open = [];
    await Promise.all(open);
    this.check();
  }

  /** Awaits a promise of the device. If the device is lost, that error is thrown instead of the promise's own. */
  async guard<T>(wait: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await wait();
    } catch (cause) {
      await this.settled();
      if (cause instanceof IJepaError) throw cause;
      this.#fault = lost(String(cause));
      throw this.#fault;
    }
    await this.settled();
    return result;
  }

  /** Called by `dispose`: from here on a lost device is no error. */
  close(): void {
    this.#closed = true;
  }
}

function lost(why: string): IJepaError {
  const message = `The GPU device was lost: ${why}. Dispose of the model and load it again, or use device wasm.`;
  return new IJepaError("backend/lost", message, { backend: "webgpu" });
}
