/** A thread that decodes one image at a time. */
import { runtime } from "#runtime";
import { IJepaError } from "../core/errors.js";
import { messageOf } from "../core/show.js";
import { DEFAULT_SOURCE } from "../image/decode.js";
import { givenWasmModules } from "../runtime/modules.js";
import { readReply, type DecodeReply, type DecodeRequest, type DecodeResult, type DecoderData } from "./messages.js";

/** The longest delay of a timer. */
const MAX_TIMER = 2 ** 31 - 1;

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

export class DecoderThread {
  #ended: IJepaError | undefined;
  #waiting: Waiting<DecodeResult> | undefined;
  #starting!: Waiting<void>;
  readonly #thread;
  readonly #ready: Promise<void>;

  /** @throws IJepaError `backend/unavailable` where no thread can be started */
  constructor() {
    const data: DecoderData = { modules: givenWasmModules() };
    this.#ready = new Promise((resolve, reject) => (this.#starting = { resolve, reject }));
    this.#ready.catch(() => undefined);
    const message = (reply: unknown): void => {
      if (reply === "ready") this.#starting.resolve();
      else this.#answer(reply as Exclude<DecodeReply, "ready">);
    };
    const ended = (reason: string): void => {
      this.#starting.reject(unavailable(reason));
      this.#end(new IJepaError("backend/lost", `The thread that decoded the image ended: ${reason}.`, { backend: "decoder" }));
    };
    try {
      this.#thread = runtime.startDecoder!(data, { message, ended });
    } catch (cause) {
      throw unavailable(messageOf(cause), cause);
    }
  }

  /** True once it can no longer be used. */
  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * @param milliseconds from when the thread begins; then it is ended
   * @throws IJepaError `image/timeout`; `backend/lost` when the thread ends, `backend/unavailable` when it did not start; what decoding throws
   */
  async decode(request: DecodeRequest, milliseconds: number): Promise<DecodeResult> {
    this.#thread.keepAlive(true);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await this.#ready;
      return await new Promise((resolve, reject) => {
        if (this.#ended !== undefined) return reject(this.#ended);
        this.#waiting = { resolve, reject };
        if (milliseconds <= MAX_TIMER) timer = setTimeout(() => void this.#expire(request, milliseconds), milliseconds);
        const bytes = request.bytes.slice();
        this.#thread.post({ ...request, bytes }, [bytes.buffer]);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
      if (!this.ended) this.#thread.keepAlive(false);
    }
  }

  async terminate(): Promise<void> {
    this.#end(new IJepaError("aborted", "Aborted while decoding an image.", { during: "decoding an image" }));
    await this.#thread.terminate();
  }

  #answer(reply: Exclude<DecodeReply, "ready">): void {
    try {
      this.#waiting?.resolve(readReply(reply));
    } catch (error) {
      this.#waiting?.reject(error as Error);
    }
  }

  async #expire({ options: { source = DEFAULT_SOURCE } }: DecodeRequest, milliseconds: number): Promise<void> {
    // If this thread was busy itself, the answer may already be waiting in its event loop.
    const waiting = this.#waiting;
    await runtime.yieldToHost();
    if (waiting !== this.#waiting) return;
    const message = `${source} was not decoded within ${milliseconds / 1000} s. Save it again as a plain JPEG or PNG, or raise the time limit.`;
    this.#end(new IJepaError("image/timeout", message, { source, milliseconds }));
    void this.#thread.terminate();
  }

  #end(error: IJepaError): void {
    this.#ended ??= error;
    this.#starting.reject(error);
    this.#waiting?.reject(error);
  }
}

function unavailable(reason: string, cause?: unknown): IJepaError {
  const message = `A thread that decodes images cannot be started: ${reason}. Decode in place, with 0 threads.`;
  return new IJepaError("backend/unavailable", message, { backend: "decoder" }, { cause });
}
