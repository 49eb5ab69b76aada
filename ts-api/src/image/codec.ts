/** Runs the image codecs of `codecs/`: WebAssembly modules that import one function, `host.fail`. */
import { runtime } from "#runtime";
import { messageOf } from "../core/show.js";

/** What every codec exports. Addresses are those of its memory. */
export interface CodecExports {
  readonly memory: WebAssembly.Memory;
  /** Returns 0 when there is no more memory. */
  allocate(bytes: number): number;
  release(address: number): void;
  /** Reads the headers before the pixels; returns 0 for a file that it cannot read. */
  begin(file: number, bytes: number): number;
  width(): number;
  height(): number;
  read(): number;
  /** The address of what `read` decoded, RGB. */
  pixels(): number;
  /** Frees everything that `begin` and `read` allocated. */
  finish(): number;
}

/** Thrown by `Codec.run`; the message is the codec's own words. */
export class CodecError extends Error {
  /** True if the codec had too little memory; the file itself may be fine. */
  readonly outOfMemory: boolean;

  constructor(message: string, outOfMemory = false, cause?: unknown) {
    super(message, { cause });
    this.outOfMemory = outOfMemory;
  }
}

const OUT_OF_MEMORY = "it has too little memory";
/** libjpeg's words for the same. */
const INSUFFICIENT = /^Insufficient memory/;
/** A codec's memory never shrinks: an instance with more than this many bytes is dropped after the image. */
const KEEP_BYTES = 128 * 2 ** 20;
/** Most bytes of a text in a message. */
const PARAMETER_BYTES = 80;

/** A decoder that keeps its instance for the next image. An instance that failed in any way is not used again. */
export class Codec<Exports extends CodecExports> {
  readonly #module: "jpeg-decoder" | "webp-decoder";
  #idle: Exports | undefined;

  constructor(module: "jpeg-decoder" | "webp-decoder") {
    this.#module = module;
  }

  /**
   * Runs `work` with an instance that has the file in its memory.
   *
   * @param work gets the address of the file; it must not keep views of the memory, which moves when it grows
   * @throws CodecError
   */
  async run<T>(file: Uint8Array, work: (codec: Exports, address: number) => T): Promise<T> {
    const codec = this.#take() ?? (await this.#start());
    let result: T;
    try {
      const address = codec.allocate(file.length);
      if (address === 0) throw new CodecError(OUT_OF_MEMORY, true);
      bytesAt(codec, address, file.length).set(file);
      result = work(codec, address);
      codec.release(address);
    } catch (cause) {
      throw cause instanceof CodecError ? cause : new CodecError(`it stopped: ${messageOf(cause)}`, false, cause);
    }
    if (codec.memory.buffer.byteLength <= KEEP_BYTES) this.#idle = codec;
    return result;
  }

  /** The idle instance; undefined while it decodes, and after an error. */
  #take(): Exports | undefined {
    const codec = this.#idle;
    this.#idle = undefined;
    return codec;
  }

  async #start(): Promise<Exports> {
    const fail = (template: number, values: number): never => {
      const message = messageAt(codec, template, values);
      throw new CodecError(message, INSUFFICIENT.test(message));
    };
    const instance = await WebAssembly.instantiate(await runtime.wasmModule(this.#module), { host: { fail } });
    const codec = instance.exports as unknown as Exports;
    return codec;
  }
}

export function bytesAt({ memory }: CodecExports, address: number, length: number): Uint8Array {
  return new Uint8Array(memory.buffer, address >>> 0, length);
}

/** A printf template with its values: numbers of 32 bits, or one text. */
export function messageAt({ memory }: CodecExports, template: number, values: number): string {
  const numbers = new DataView(memory.buffer, values, PARAMETER_BYTES);
  let next = 0;
  return textAt(memory, template).replace(/%(0?)(\d*)l?([duxcs])/g, (_all, zero: string, digits: string, kind: string) => {
    if (kind === "s") return textAt(memory, values, PARAMETER_BYTES);
    const value = kind === "d" ? numbers.getInt32(4 * next++, true) : numbers.getUint32(4 * next++, true);
    if (kind === "c") return String.fromCharCode(value);
    return value.toString(kind === "x" ? 16 : 10).padStart(Number(digits), zero || " ");
  });
}

/** The text up to the next zero byte. */
function textAt(memory: WebAssembly.Memory, address: number, most = 1024): string {
  const bytes = new Uint8Array(memory.buffer, address, Math.min(most, memory.buffer.byteLength - address));
  const end = bytes.indexOf(0);
  return new TextDecoder("latin1").decode(bytes.subarray(0, end < 0 ? bytes.length : end));
}
