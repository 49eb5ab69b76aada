/** From the body of POST /v1/embeddings to its answer, in OpenAI's shape, with images instead of texts. */
import { IJepaError } from "../core/errors.js";
import { checkNames } from "../core/options.js";
import { show } from "../core/show.js";
import { parseJson } from "../core/json.js";
import { oneOf, FORMATS, POOLS, type EncodedFeatures, type FeatureOptions } from "./features.js";
import { HttpError } from "./http-error.js";

export interface EmbeddingsRequest extends FeatureOptions {
  /** data:, http: or https: URLs. */
  readonly images: readonly string[];
}

/** Far more values than a request with the most images has; parsing them takes milliseconds. */
const MAX_VALUES = 2 ** 18;
const FIELDS = { model: true, input: true, encoding_format: true, dimensions: true, user: true, pool: true, normalize: true } as const;

/** The server's settings that a request must match. */
export interface Served {
  /** Name of the model. */
  readonly name: string;
  /** Width of its features. */
  readonly width: number;
  /** Most images of a request. */
  readonly maxImages: number;
}

/** @throws IJepaError `input/*`, HttpError 400 and 404 */
export function parseEmbeddings(body: Uint8Array, { name: model, width, maxImages }: Served): EmbeddingsRequest {
  const fields: Partial<Record<keyof typeof FIELDS, unknown>> = parseObject(body);
  checkNames(fields, FIELDS, "The body has no field");
  const asked = fields.model ?? model, input = fields.input ?? undefined, dimensions = fields.dimensions ?? width, normalize = fields.normalize ?? false;
  if (asked !== model) throw unknownModel(asked, model);
  if (dimensions !== width) throw wrong("dimensions", `the width of the model, ${width}: features cannot be shortened`, dimensions);
  if (typeof normalize !== "boolean") throw wrong("normalize", "true or false", normalize);
  if (input === undefined) throw new IJepaError("input/missing", "input is missing: an image as a data: URL, or a list of them.", { name: "input" });
  const images: unknown[] = Array.isArray(input) ? input : [input];
  if (images.length < 1 || images.length > maxImages) throw wrong("input", `1 to ${maxImages} images`, images.length);
  for (const [i, image] of images.entries()) {
    if (typeof image !== "string" || !/^(data|https?):/i.test(image)) throw wrong(`input[${i}]`, "the data: URL of an image", image);
  }
  return {
    images: images as string[],
    format: oneOf("encoding_format", fields.encoding_format, FORMATS, "float"),
    pool: oneOf("pool", fields.pool, POOLS.filter((pool) => pool !== "none"), "mean"),
    normalize,
  };
}

/** The answer to a request for another model. */
export function unknownModel(asked: unknown, served: string): HttpError {
  return new HttpError(404, "model_not_found", `The model ${show(asked)} is not served here; this is ${show(served)}.`, { param: "model" });
}

/** @param tokens of one image */
export function embeddingsAnswer(model: string, features: readonly EncodedFeatures[], tokens: number): object {
  const data = features.map(({ dims: _, ...feature }, index) => ({ object: "embedding", index, ...feature }));
  const total = features.length * tokens;
  return { object: "list", data, model, usage: { prompt_tokens: total, total_tokens: total } };
}

function parseObject(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(body, { bom: true, maxDepth: Infinity, maxValues: MAX_VALUES });
  } catch (error) {
    throw new HttpError(400, "request/json", error instanceof RangeError ? `The body has ${error.message}.` : "The body is not JSON.");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new HttpError(400, "request/json", "The body must be a JSON object: { model, input }.");
}

function wrong(name: string, expected: string, value?: unknown): IJepaError {
  const actual = value === undefined ? "" : `; it is ${show(value)}`;
  return new IJepaError("input/value", `${name} must be ${expected}${actual}.`, { name, value });
}
