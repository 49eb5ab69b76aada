/** Images with the methods of transformers.js. */
import { encodePng, loadImage, type RawImage as Pixels } from "../index.js";
import { dropAlpha, toRgb } from "../image/raw-image.js";
import { resize } from "../image/resize.js";
import { openResizer } from "../image/resizer.js";
import { refused } from "./options.js";
import { Tensor } from "./tensor.js";

/** What images are given as. */
export type ImageInput = RawImage | Pixels | string | URL | Blob | Uint8Array | ArrayBuffer;

/** transformers.js's numbers for Pillow's filters. */
const FILTERS = { 0: 0, 1: 1, 2: 2, 3: 3, nearest: 0, lanczos: 1, bilinear: 2, bicubic: 3, box: 4, hamming: 5 } as const;

/** An image in memory, with the methods of transformers.js. */
export class RawImage implements Pixels {
  constructor(
    readonly data: Uint8Array | Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
    readonly channels: number,
  ) {}

  /** [width, height]. */
  get size(): [number, number] {
    return [this.width, this.height];
  }

  /** From a path, a URL, a Blob, the bytes of a file, or pixels. */
  static async read(input: ImageInput): Promise<RawImage> {
    if (input instanceof RawImage) return input;
    const source = typeof Blob !== "undefined" && input instanceof Blob ? await input.arrayBuffer() : (input as Exclude<ImageInput, Blob>);
    return made(await loadImage(source));
  }

  /** As `RawImage.read`. */
  static fromURL(url: string | URL): Promise<RawImage> {
    return RawImage.read(url);
  }

  /** As `RawImage.read`. */
  static fromBlob(blob: Blob): Promise<RawImage> {
    return RawImage.read(blob);
  }

  /** The pixels of a canvas, RGBA. */
  static fromCanvas(canvas: { width: number; height: number; getContext(kind: "2d"): unknown }): RawImage {
    const context = canvas.getContext("2d") as { getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray } };
    return new RawImage(context.getImageData(0, 0, canvas.width, canvas.height).data, canvas.width, canvas.height, 4);
  }

  /** A copy with its own pixels. */
  clone(): RawImage {
    return new RawImage(this.data.slice(), this.width, this.height, this.channels);
  }

  /** Without alpha, grey repeated. */
  rgb(): RawImage {
    return this.channels === 3 ? this : made(toRgb(this));
  }

  /** With alpha; 255 if there was none. */
  rgba(): RawImage {
    if (this.channels === 4) return this;
    const { data } = this.rgb(), rgba = new Uint8ClampedArray((data.length / 3) * 4).fill(255);
    for (let i = 0; i < data.length / 3; i++) rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    return new RawImage(rgba, this.width, this.height, 4);
  }

  /** ITU-R 601: 0.299 red, 0.587 green, 0.114 blue. */
  grayscale(): RawImage {
    if (this.channels === 1) return this;
    if (this.channels === 2) return made(dropAlpha(this));
    const { data } = this.rgb();
    const grey = Uint8Array.from({ length: data.length / 3 }, (_, i) => Math.round(0.2989 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2]));
    return new RawImage(grey, this.width, this.height, 1);
  }

  /**
   * In 1, 3 or 4 channels.
   * @throws IJepaError `input/value` for another number
   */
  convert(channels: number): RawImage {
    if (channels === 1) return this.grayscale();
    if (channels === 3) return this.rgb();
    if (channels === 4) return this.rgba();
    throw refused("channels", channels, `An image has 1, 3 or 4 channels, not ${channels}.`);
  }

  /** The pixels as [channels, height, width], or as [height, width, channels]. */
  toTensor(layout: "CHW" | "HWC" = "CHW"): Tensor<"uint8"> {
    const tensor = new Tensor("uint8", Uint8Array.from(this.data), [this.height, this.width, this.channels]);
    return layout === "CHW" ? tensor.permute(2, 0, 1) : tensor;
  }

  /**
   * Resized to sizes in pixels, by Pillow's arithmetic. Default bilinear. A side that is null or negative follows from the other.
   * @throws IJepaError `input/value` for another filter
   */
  async resize(givenWidth: number | null, givenHeight: number | null, { resample = 2 }: { resample?: keyof typeof FILTERS } = {}): Promise<RawImage> {
    if (!Object.hasOwn(FILTERS, resample)) throw refused("resample", resample, `resample must be one of ${Object.keys(FILTERS).join(", ")}, not ${String(resample)}.`);
    const isGiven = (side: number | null): side is number => typeof side === "number" && side >= 0;
    if (!isGiven(givenWidth) && !isGiven(givenHeight)) return this;
    const width = isGiven(givenWidth) ? givenWidth : Math.max(1, Math.round((givenHeight! / this.height) * this.width));
    const height = isGiven(givenHeight) ? givenHeight : Math.max(1, Math.round((width / this.width) * this.height));
    await openResizer();
    return made(resize(dropAlpha(this), width, height, FILTERS[resample]));
  }

  /**
   * The pixels of [left, top, right, bottom], the last two included.
   * @throws IJepaError `input/value` if it contains no pixel
   */
  async crop([left, top, right, bottom]: [number, number, number, number]): Promise<RawImage> {
    const x = Math.max(0, left), y = Math.max(0, top), width = Math.min(right, this.width - 1) - x + 1, height = Math.min(bottom, this.height - 1) - y + 1;
    if (!(width > 0 && height > 0)) throw refused("crop", [left, top, right, bottom], `The crop [${[left, top, right, bottom].join(", ")}] lies outside the image of ${this.width} x ${this.height} pixels.`);
    const data = new Uint8ClampedArray(width * height * this.channels);
    for (let row = 0; row < height; row++) {
      const start = ((y + row) * this.width + x) * this.channels;
      data.set(this.data.subarray(start, start + width * this.channels), row * width * this.channels);
    }
    return new RawImage(data, width, height, this.channels);
  }

  /**
   * The middle of the image, in pixels.
   * @throws IJepaError `input/value` for a size beyond the image's
   */
  async center_crop(width: number, height: number): Promise<RawImage> {
    if (width > this.width || height > this.height) throw refused("center_crop", [width, height], `${width} x ${height} cannot be cut out of ${this.width} x ${this.height} pixels; resize first.`);
    const left = Math.floor((this.width - width) / 2), top = Math.floor((this.height - height) / 2);
    return this.crop([left, top, left + width - 1, top + height - 1]);
  }

  /**
   * The image as a PNG file.
   * @throws IJepaError `input/value` for another type
   */
  async toBlob(type = "image/png"): Promise<Blob> {
    if (type !== "image/png") throw refused("type", type, "Images are written as image/png only.");
    return new Blob([(await encodePng(this)) as Uint8Array<ArrayBuffer>], { type });
  }
}

/** transformers.js's name for `RawImage.read`. */
export const load_image = (input: ImageInput): Promise<RawImage> => RawImage.read(input);

function made({ data, width, height, channels }: Pixels): RawImage {
  return new RawImage(data, width, height, channels);
}
