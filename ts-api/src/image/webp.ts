/** From a WebP file to its size, metadata and pixels, by libwebp. */
import { bytesAt, Codec, CodecError, type CodecExports } from "./codec.js";
import type { OrientationMetadata } from "./orientation.js";
import type { DecodedImage } from "./raw-image.js";
import { webpFault } from "./webp-fault.js";

/** The facts in the container. The size is that of the canvas. */
export interface WebpHeader extends OrientationMetadata {
  width: number;
  height: number;
}

interface WebpExports extends CodecExports {
  /** Finds a chunk and gives its length, 0 if there is none; `chunk_bytes` is its address. */
  find_chunk(fourcc: number): number;
  chunk_bytes(): number;
}

const EXIF = 0x46495845, XMP = 0x20504d58;
/** Of libwebp's `VP8StatusCode`. */
const OUT_OF_MEMORY = 1;
const STATUS = ["", "", "a parameter is invalid", "its bitstream is damaged", "it uses a feature that does not exist", "it was suspended", "it was stopped", "its data ends too early"];

const codec = new Codec<WebpExports>("webp-decoder");

/**
 * @throws IJepaError `image/corrupt` for a container that is not whole or breaks its rules, `image/empty`
 * @throws CodecError
 */
export async function readWebpHeader(file: Uint8Array, source: string): Promise<WebpHeader> {
  const header = await codec.run(file, (webp, address) => {
    if (webp.begin(address, file.length) === 0) return undefined;
    const chunk = (name: number): Uint8Array | undefined => {
      const length = webp.find_chunk(name);
      return length === 0 ? undefined : bytesAt(webp, webp.chunk_bytes(), length).slice();
    };
    const header = { width: webp.width(), height: webp.height(), exif: chunk(EXIF), xmp: chunk(XMP) };
    webp.finish();
    return header;
  });
  if (header === undefined) throw webpFault(file, source);
  return header;
}

/** The pixels of a still image, or of the first frame on a black canvas. Throws CodecError. */
export function decodeWebp(file: Uint8Array): Promise<DecodedImage> {
  return codec.run(file, (webp, address) => {
    if (webp.begin(address, file.length) === 0) throw new CodecError("its chunks do not fit together");
    const status = webp.read();
    if (status !== 0) throw new CodecError(STATUS[status] ?? `status ${status}`, status === OUT_OF_MEMORY);
    const width = webp.width(), height = webp.height();
    const data = bytesAt(webp, webp.pixels(), width * height * 3).slice();
    webp.finish();
    return { data, width, height, channels: 3, warnings: [] };
  });
}
