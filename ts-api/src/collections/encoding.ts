/** Everything that decides a bit of a feature. Features of two encodings never mix. */
import { checkHas } from "../core/options.js";
import { IJepaError } from "../core/errors.js";
import { sha256, type Dtype } from "../core/numerics.js";

/** The layers that a feature can be made of. */
export const LAYERS = ["last", "last4"] as const;
/** `last`: the output, after the final norm. `last4`: the outputs of the last four layers, pooled, side by side. */
export type Layers = (typeof LAYERS)[number];

/** Everything that decides a bit of a feature. Features of two encodings never mix. */
export interface Encoding {
  /** The user's name for the model; null for the model of the package. For information only. */
  readonly model: string | null;
  /** Commit, branch or tag of a model of the Hub; null if there is none. For information only. */
  readonly revision: string | null;
  /** SHA-256 of the encoder's output for a fixed input (docs/collections.md): it represents the rounded weights. */
  readonly encoder: string;
  /** SHA-256 of the image processor's settings. */
  readonly processor: string;
  /** Weight format of the encoder. */
  readonly dtype: Dtype;
  /** Version of the numeric contract. */
  readonly numerics: string;
  /** Pixels that the encoder sees: height, width. */
  readonly imageSize: readonly [number, number];
  /** Position embeddings are interpolated to that size. */
  readonly interpolatePosEncoding: boolean;
  /** How the features of the patches become the image's feature: their mean, or the first of them. */
  readonly pooling: "mean" | "first";
  /** The layers that the feature is made of. */
  readonly layers: Layers;
  /** The grid of patches, rows and columns, whose features, as wide as that of the image, are kept too; null if they are not. */
  readonly tokens: readonly [number, number] | null;
  /** Numbers of a feature. */
  readonly width: number;
}

/** The fields that are compared, as messages name them. `encoder` also differs if `dtype` or `numerics` do, and is then not mentioned. */
const COMPARED = {
  dtype: "weight format",
  numerics: "numeric contract",
  processor: "image processor",
  imageSize: "image size",
  interpolatePosEncoding: "interpolation of positions",
  pooling: "pooling",
  layers: "layers",
  tokens: "kept patches",
  width: "width",
} as const satisfies Partial<Record<keyof Encoding, string>>;

/** The differences between two encodings, in words: "weight format int4, not bf16"; empty if features may mix. */
export function differences(actual: Encoding, expected: Encoding, ignored: readonly (keyof typeof COMPARED)[] = []): string[] {
  for (const encoding of [actual, expected]) checkHas("An encoding", encoding, "an object with dtype, pooling and the others", "dtype", "pooling");
  const differing = (Object.keys(COMPARED) as (keyof typeof COMPARED)[]).filter((key) => !ignored.includes(key) && JSON.stringify(actual[key]) !== JSON.stringify(expected[key]));
  const words = differing.map((key) => `${COMPARED[key]} ${show(actual[key])}, not ${show(expected[key])}`);
  const explained = differing.includes("dtype") || differing.includes("numerics");
  if (actual.encoder !== expected.encoder && !explained) {
    words.unshift(`encoder ${nameOf(actual)} (${short(actual.encoder)}), not ${nameOf(expected)} (${short(expected.encoder)})`);
  }
  return words;
}

/** The same text for encodings whose features may mix, and only for those. */
export function encodingText(encoding: Encoding): string {
  return JSON.stringify([encoding.encoder, ...(Object.keys(COMPARED) as (keyof typeof COMPARED)[]).map((key) => encoding[key])]);
}

/** Throws `collection/encoding` if `actual` is not the encoding of the features in `name`. */
export function checkEncoding(actual: Encoding, expected: Encoding, name: string, ignored: readonly (keyof typeof COMPARED)[] = []): void {
  const found = differences(actual, expected, ignored);
  if (found.length === 0) return;
  const message = `${name} holds features of another encoding: ${found.join("; ")}. Use the encoder that it was made with, or start a new collection.`;
  throw new IJepaError("collection/encoding", message, { path: name, differences: found });
}

/** True for a value that a file may hold as an encoding. */
export function isEncoding(value: unknown): value is Encoding {
  if (typeof value !== "object" || value === null) return false;
  const { encoder, processor, width, dtype, layers } = value as Partial<Encoding>;
  return [encoder, processor, dtype, layers].every((text) => typeof text === "string") && Number.isSafeInteger(width) && width! > 0;
}

/** SHA-256 of an object, whatever the order of its fields. */
export async function objectDigest(value: Record<string, unknown>): Promise<string> {
  return sha256(new TextEncoder().encode(JSON.stringify(sorted(value))));
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)]));
}

function nameOf({ model, revision }: Encoding): string {
  return `${model ?? "the package's own"}${revision === null ? "" : ` at ${revision}`}`;
}

function show(value: unknown): string {
  if (typeof value === "string") return /^[0-9a-f]{64}$/.test(value) ? short(value) : value;
  if (value === true) return "on";
  if (value === false) return "off";
  if (value === null) return "none";
  return Array.isArray(value) ? value.join(" x ") : JSON.stringify(value);
}

function short(digest: string): string {
  return digest.slice(0, 12);
}
