/** The interface of a model's folder: local, at a URL, on the Hub or in memory. */
import { isRecord, wrongType } from "../core/options.js";
import type { ByteSource } from "../runtime/env.js";
import type { UrlOptions } from "./sources/url.js";

export interface OpenOptions extends UrlOptions {
  /** Without the file the model cannot be opened: offline it must be in the cache, or be known not to exist. Default false. */
  required?: boolean | undefined;
}

/** A model's files from the caller: in a bucket, in assets, in memory. */
export interface ModelSource {
  /** For messages. */
  readonly name: string;
  /** Opens a file such as "config.json"; undefined if there is none. Failures of reading become IJepaError `io/read`. */
  open(file: string, options?: { signal?: AbortSignal | undefined }): Promise<ByteSource | undefined>;
}

/** In words, for messages. */
export const MODEL_KINDS = "a folder, a URL, a name on the Hub, or an object with name and open";

/** What names a model. */
export type ModelRef = string | ModelSource;

export function isModelSource(ref: unknown): ref is ModelSource {
  if (typeof ref !== "object" || ref === null) return false;
  const { name, open } = ref as Partial<ModelSource>;
  return typeof name === "string" && typeof open === "function";
}

/** The arguments (model, options), where options may stand alone. */
export function modelAndOptions<O extends object>(ref: ModelRef | URL | O | undefined, options: O | null | undefined): [ref: ModelRef | undefined, options: O | undefined] {
  const alone = options === undefined && isRecord(ref) && !("name" in ref) && !("open" in ref);
  if (alone) return [undefined, ref as O];
  const named = ref instanceof URL ? ref.href : (ref as ModelRef | undefined);
  if (named !== undefined && typeof named !== "string" && !isModelSource(named)) throw wrongType("A model", MODEL_KINDS, named);
  return [named, options ?? undefined];
}

/** A folder in Hugging Face's layout, wherever it is. */
export interface ModelFolder {
  /** Path, or URL without secrets, for messages. */
  readonly name: string;
  /** True when it is read over the network. */
  readonly remote: boolean;
  /** Opens a file of the folder; undefined if there is none. `name` is a plain file name. */
  open(name: string, options?: OpenOptions): Promise<ByteSource | undefined>;
  /**
   * Of a cache, after a file could not be read: looks whether it is as it was stored, and fetches it again where it is not.
   * @returns true where it was replaced
   * @throws IJepaError `hub/corrupt` where it is damaged and cannot be fetched, and what opening throws
   */
  repair?(name: string, signal: AbortSignal | undefined): Promise<boolean>;
  /** Path or URL of a file of the folder, for messages. */
  pathOf(name: string): string;
}
