/** The messages to and from a decode thread, sent by structured clone. */
import { decodeImage, type DecodeOptions } from "../image/decode.js";
import { openResizer } from "../image/resizer.js";
import type { RgbImage } from "../image/raw-image.js";
import { setWasmModules, type WasmModules } from "../runtime/modules.js";
import { Tensor } from "../core/tensor.js";
import { prepareImage, type PreparedImage, type ProcessorConfig } from "./decode.js";
import { packError, unpackError, type PackedError } from "./errors.js";

/** The data that a thread receives at its start. */
export interface DecoderData {
  /** Modules that the program handed over. */
  readonly modules: WasmModules;
}

/** One image at a time. */
export interface DecodeRequest {
  readonly bytes: Uint8Array;
  readonly options: DecodeOptions;
  /** If given, the answer is the tensor for the encoder, else the pixels. */
  readonly processor: ProcessorConfig | undefined;
}

export type DecodeResult = RgbImage | PreparedImage;

type PackedImage = Omit<PreparedImage, "pixelValues"> & { readonly values: Float32Array; readonly dims: readonly number[] };

export type DecodeReply = "ready" | { readonly image: RgbImage } | { readonly prepared: PackedImage } | { readonly error: PackedError };

/** The program of a thread: `post` sends an answer, and gives the buffers away. It is "ready" when the time of an image may begin. */
export function serveDecoding(data: DecoderData, post: (reply: DecodeReply, transfer: ArrayBuffer[]) => void): (request: DecodeRequest) => Promise<void> {
  setWasmModules(data.modules);
  // Where it cannot be had, the first image says so.
  void openResizer().catch(() => undefined).then(() => post("ready", []));
  return async ({ bytes, options, processor }) => {
    try {
      if (processor === undefined) {
        const image = await decodeImage(bytes, options);
        post({ image }, [image.data.buffer as ArrayBuffer]);
      } else {
        const { pixelValues: { data: values, dims }, ...rest } = await prepareImage(bytes, processor, options);
        post({ prepared: { ...rest, values, dims } }, [values.buffer as ArrayBuffer]);
      }
    } catch (error) {
      post({ error: packError(error) }, []);
    }
  };
}

/** @throws the error that the thread met */
export function readReply(reply: Exclude<DecodeReply, "ready">): DecodeResult {
  if ("error" in reply) throw unpackError(reply.error);
  if ("image" in reply) return reply.image;
  const { values, dims, ...rest } = reply.prepared;
  return { ...rest, pixelValues: new Tensor("float32", values, dims) };
}
