/** Running the @jsquash decoders (libjpeg and libwebp compiled by Emscripten). */

/** What a decoder returns: 8-bit RGBA, row by row. */
export interface RgbaPixels {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** The part of Emscripten's module object that is used here. */
interface CodecInstance {
  decode(file: Uint8Array, ...options: unknown[]): RgbaPixels | null;
  readonly HEAPU8: Uint8Array;
}

/** The default export of a `codec/dec/*.js` file. */
export type CodecFactory = (settings: Record<string, unknown>) => Promise<CodecInstance>;

/** Thrown by `Codec.decode`; the message is the codec's own words. */
export class CodecError extends Error {
  /** True when the codec had too little memory, and the file may be fine. */
  readonly outOfMemory: boolean;

  constructor(message: string, outOfMemory: boolean, cause?: unknown) {
    super(message, { cause });
    this.outOfMemory = outOfMemory;
  }
}

/** A codec's memory never shrinks: above this many bytes it is given up after the image. */
const KEEP_BYTES = 128 * 2 ** 20;

/**
 * A decoder that makes its instance at the first image and keeps it for the next. After a failure the instance is
 * given up, because libjpeg then leaves its memory and its stack as they were.
 */
export class Codec {
  readonly #load: () => Promise<{ factory: CodecFactory; module: WebAssembly.Module }>;
  readonly #printed: string[] = [];
  #instance: Promise<CodecInstance> | undefined;

  /** @param load brings the codec's code; called at the first image, not before */
  constructor(load: () => Promise<{ factory: CodecFactory; module: WebAssembly.Module }>) {
    this.#load = load;
  }

  /**
   * Decodes a file.
   *
   * @param options passed to the codec's `decode` after the bytes
   * @throws CodecError
   */
  async decode(file: Uint8Array, ...options: unknown[]): Promise<RgbaPixels> {
    const starting = (this.#instance ??= this.#start());
    let keep = false;
    try {
      const instance = await starting;
      const pixels = this.#run(instance, file, options);
      keep = instance.HEAPU8.length <= KEEP_BYTES;
      return pixels;
    } finally {
      if (!keep && this.#instance === starting) this.#instance = undefined;
    }
  }

  #run(instance: CodecInstance, file: Uint8Array, options: unknown[]): RgbaPixels {
    this.#printed.length = 0;
    try {
      const pixels = withImageData(() => instance.decode(file, ...options));
      if (pixels === null) throw new Error("the codec refused it");
      return pixels;
    } catch (cause) {
      const words = this.#printed.find((line) => line !== "") ?? (cause instanceof Error ? cause.message : "the codec stopped");
      throw new CodecError(words, /memory \(case|Aborted\(/.test(words), cause);
    }
  }

  async #start(): Promise<CodecInstance> {
    const { factory, module } = await this.#load();
    const print = (line: string) => void this.#printed.push(line);
    const instantiateWasm = (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
      const instance = new WebAssembly.Instance(module, imports);
      done(instance);
      return instance.exports;
    };
    return withImageData(() => factory({ noInitialRun: true, print, printErr: print, instantiateWasm }));
  }
}

/**
 * Runs `work` (synchronous) while the global `ImageData` is a plain record: the codecs build their result with it, and
 * not every runtime has it. The global is put back as it was.
 */
function withImageData<T>(work: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, "ImageData");
  class PlainImageData implements RgbaPixels {
    constructor(
      readonly data: Uint8ClampedArray,
      readonly width: number,
      readonly height: number,
    ) {}
  }
  Object.defineProperty(globalThis, "ImageData", { value: PlainImageData, configurable: true, writable: true });
  try {
    return work();
  } finally {
    if (before) Object.defineProperty(globalThis, "ImageData", before);
    else Reflect.deleteProperty(globalThis, "ImageData");
  }
}
