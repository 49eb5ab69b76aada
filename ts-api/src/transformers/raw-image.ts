/** Images with the methods of transformers.js. */
import { checkHas, checkList, checkNumbers, checkText, wrongType } from "../core/options.js";
import { runtime } from "#runtime";
import { encodePng, loadImage, type Drawable, type RawImage as Pixels, type Tensor as Base } from "../index.js";
import { dropAlpha, toRgb } from "../image/raw-image.js";
import { resize } from "../image/resize.js";
import { openResizer } from "../image/resizer.js";
import { show } from "../core/show.js";
import { refused } from "./refused.js";
import { Tensor, withMethods } from "./tensor.js";

/** What images are given as. */
export type ImageInput = RawImage | Pixels | Drawable | string | URL | Blob | Uint8Array | ArrayBuffer;

/** transformers.js's numbers for Pillow's filters. */
const FILTERS = { 0: 0, 1: 1, 2: 2, 3: 3, nearest: 0, lanczos: 1, bilinear: 2, bicubic: 3, box: 4, hamming: 5 } as const;

/** An image in memory, with the methods of transformers.js. Those that change its channels change the image itself, and return it. */
export class RawImage implements Pixels {
  constructor(
    public data: Uint8Array | Uint8ClampedArray,
    public width: number,
    public height: number,
    public channels: number,
  ) {
    if (!ArrayBuffer.isView(data)) throw wrongType("The pixels of an image", "a Uint8Array or Uint8ClampedArray", data);
    checkNumbers("A size of an image", width, height, channels);
  }

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
    checkHas("The canvas", canvas, "a canvas", "getContext");
    const context = canvas.getContext("2d") as { getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray } };
    return new RawImage(context.getImageData(0, 0, canvas.width, canvas.height).data, canvas.width, canvas.height, 4);
  }

  /**
   * The pixels of a tensor of bytes: [channels, height, width], or [height, width, channels].
   * @throws IJepaError `input/value` for another shape or type
   */
  static fromTensor(tensor: Base, layout: "CHW" | "HWC" = "CHW"): RawImage {
    checkHas("A tensor", tensor, "a Tensor", "type", "data", "dims");
    checkLayout(layout);
    const { data, dims } = layout === "CHW" && tensor.dims.length === 3 ? withMethods(tensor).permute(1, 2, 0) : tensor;
    const [height, width, channels] = dims;
    if (tensor.type !== "uint8" || dims.length !== 3 || channels < 1 || channels > 4) {
      throw refused("tensor", tensor.dims, `An image is made of a uint8 tensor with three axes and 1 to 4 channels, not of a ${tensor.type} tensor of [${tensor.dims.join(", ")}] as ${layout}.`);
    }
    return new RawImage(data as Uint8Array, width, height, channels);
  }

  /** A copy with its own pixels. */
  clone(): RawImage {
    return new RawImage(this.data.slice(), this.width, this.height, this.channels);
  }

  /** Without alpha, grey repeated. */
  rgb(): this {
    return this.channels === 3 ? this : this.#become(toRgb(this));
  }

  /** With alpha; 255 if there was none. */
  rgba(): this {
    if (this.channels === 4) return this;
    const { data } = this.rgb(), rgba = new Uint8ClampedArray((data.length / 3) * 4).fill(255);
    for (let i = 0; i < data.length / 3; i++) rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    return this.#become({ ...this, data: rgba, channels: 4 });
  }

  /** ITU-R 601: 0.299 red, 0.587 green, 0.114 blue. */
  grayscale(): this {
    if (this.channels === 1) return this;
    if (this.channels === 2) return this.#become(dropAlpha(this));
    const { data } = this.rgb();
    const grey = Uint8Array.from({ length: data.length / 3 }, (_, i) => Math.round(0.2989 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2]));
    return this.#become({ ...this, data: grey, channels: 1 });
  }

  /**
   * In 1, 3 or 4 channels.
   * @throws IJepaError `input/value` for another number
   */
  convert(channels: number): this {
    checkNumbers("channels", channels);
    if (channels === 1) return this.grayscale();
    if (channels === 3) return this.rgb();
    if (channels === 4) return this.rgba();
    throw refused("channels", channels, `An image has 1, 3 or 4 channels, not ${channels}.`);
  }

  /**
   * The grey values of `mask` as alpha, of an image of the same size in pixels.
   * @throws IJepaError `input/value` for a mask of another size, or with colours
   */
  putAlpha(mask: Pixels): this {
    checkHas("The mask", mask, "an image", "data", "width", "height", "channels");
    const fits = mask.width === this.width && mask.height === this.height && mask.channels === 1;
    if (!fits) throw refused("mask", [mask.width, mask.height, mask.channels], `A mask must have ${this.width} x ${this.height} pixels in 1 channel, not ${mask.width} x ${mask.height} in ${mask.channels}.`);
    const { data } = this.rgba();
    mask.data.forEach((alpha, i) => (data[4 * i + 3] = alpha));
    return this;
  }

  /** Each channel as an image of its own. */
  split(): RawImage[] {
    const { data, width, height, channels } = this;
    return Array.from({ length: channels }, (_, channel) => new RawImage(data.filter((_value, i) => i % channels === channel), width, height, 1));
  }

  /** The pixels as [channels, height, width], or as [height, width, channels]. */
  toTensor(layout: "CHW" | "HWC" = "CHW"): Tensor<"uint8"> {
    checkLayout(layout);
    const tensor = new Tensor("uint8", Uint8Array.from(this.data), [this.height, this.width, this.channels]);
    return layout === "CHW" ? tensor.permute(2, 0, 1) : tensor;
  }

  /**
   * Resized to sizes in pixels, by Pillow's arithmetic. Default bilinear. A side that is null or negative follows from the other.
   * @throws IJepaError `input/value` for another filter
   */
  async resize(givenWidth: number | null, givenHeight: number | null, given?: { resample?: keyof typeof FILTERS } | null): Promise<RawImage> {
    const { resample = 2 } = given ?? {};
    if (!Object.hasOwn(FILTERS, resample)) throw refused("resample", resample, `resample must be one of ${Object.keys(FILTERS).join(", ")}, not ${String(resample)}.`);
    checkNumbers("A side", givenWidth ?? 0, givenHeight ?? 0);
    const isGiven = (side: number | null): side is number => (side ?? -1) >= 0;
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
  async crop(box: [number, number, number, number]): Promise<RawImage> {
    checkList("The crop", box, "[left, top, right, bottom]");
    const [left, top, right, bottom] = box;
    checkNumbers("A side of the crop", left, top, right, bottom);
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
    checkNumbers("A side", width, height);
    if (width > this.width || height > this.height) throw refused("center_crop", [width, height], `${width} x ${height} cannot be cut out of ${this.width} x ${this.height} pixels; resize first.`);
    const left = Math.floor((this.width - width) / 2), top = Math.floor((this.height - height) / 2);
    return this.crop([left, top, left + width - 1, top + height - 1]);
  }

  /** With black around it, so many pixels on each side: [left, right, top, bottom]. Alpha there is 0. */
  async pad(sides: [number, number, number, number]): Promise<RawImage> {
    checkList("The padding", sides, "[left, right, top, bottom]");
    checkNumbers("A side of the padding", sides[0], sides[1], sides[2], sides[3]);
    const [left, right, top, bottom] = sides.map((side) => Math.max(0, side)), { channels } = this;
    const width = this.width + left + right, height = this.height + top + bottom, data = new Uint8ClampedArray(width * height * channels);
    for (let row = 0; row < this.height; row++) {
      data.set(this.data.subarray(row * this.width * channels, (row + 1) * this.width * channels), ((row + top) * width + left) * channels);
    }
    return new RawImage(data, width, height, channels);
  }

  /**
   * The image on a canvas, where the host has OffscreenCanvas.
   * @throws IJepaError `input/value` elsewhere
   */
  toCanvas(): OffscreenCanvas {
    if (typeof OffscreenCanvas === "undefined") throw refused("toCanvas", undefined, "This host has no OffscreenCanvas. toBlob gives a PNG file.");
    const canvas = new OffscreenCanvas(this.width, this.height), { data } = this.clone().rgba();
    canvas.getContext("2d")!.putImageData(new ImageData(Uint8ClampedArray.from(data), this.width, this.height), 0, 0);
    return canvas;
  }

  /**
   * Writes the image as a PNG file, where the host has files.
   * @throws IJepaError `input/value` for another kind of file, `io/write`
   */
  async save(path: string): Promise<void> {
    checkText("The path", path);
    if (!/\.png$/i.test(path)) throw refused("path", path, `Images are written as .png only, not as ${path}.`);
    await runtime.writeFile(path, await encodePng(this));
  }

  /**
   * For programs that go on with sharp: it is not part of this package.
   * @throws IJepaError `input/value`, always
   */
  toSharp(): never {
    throw refused("toSharp", undefined, "sharp is not used here. sharp(data, { raw: { width, height, channels } }) takes an image as it is.");
  }

  #become({ data, channels }: Pixels): this {
    return Object.assign(this, { data, channels });
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

function checkLayout(layout: unknown): void {
  if (layout !== "CHW" && layout !== "HWC") throw refused("layout", layout, `The layout must be "CHW" or "HWC", not ${show(layout)}.`);
}

/** In three channels, as the image processors of transformers.js make it; the image that was given keeps its own. */
export async function readRgb(input: ImageInput): Promise<RawImage> {
  const image = await RawImage.read(input);
  return image.channels === 3 ? image : image.clone().rgb();
}

function made({ data, width, height, channels }: Pixels): RawImage {
  return new RawImage(data, width, height, channels);
}
