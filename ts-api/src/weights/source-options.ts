/** The options that say where a model comes from, and the progress of its download. */
import type { OptionNames } from "../core/options.js";

/** The argument of `progress_callback`, as in transformers.js. */
export interface ProgressInfo {
  /**
   * Of a file of the Hub: "initiate", then "download" and "progress" unless it is in the cache already, then "done". Of the model:
   * "initiate", "progress" for every part of it that is ready to compute, then "ready".
   */
  status: "initiate" | "download" | "progress" | "done" | "ready";
  /** The model's folder, URL or name. */
  name: string;
  /** The file; absent where the model is meant. */
  file?: string;
  /** The part just loaded, such as "encoder.layer.3"; absent before the first, and for files. */
  part?: string;
  /** Bytes of the file, or parts of the model, so far. */
  loaded: number;
  /** Bytes of the file, or parts of the model, in all. */
  total: number;
  /** 0 to 100. */
  progress: number;
}

/** The source of a model. The names are those of Hugging Face. */
export interface SourceOptions {
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** Replaces the global `fetch` for http(s) URLs and for the Hub. */
  fetch?: typeof globalThis.fetch | undefined;
  /** Called with the progress of downloads and loading. */
  progress_callback?: ((info: ProgressInfo) => void) | undefined;
  /** A branch, tag or commit of a model of the Hub. Default "main". */
  revision?: string | undefined;
  /** The folder of the Hub's cache. Default: HF_HUB_CACHE or HF_HOME, else ~/.cache/huggingface/hub. */
  cache_dir?: string | undefined;
  /** Use only the cache. Default: HF_HUB_OFFLINE. */
  local_files_only?: boolean | undefined;
  /** The token for private and gated models; false: none. Default: HF_TOKEN, else the one that `hf auth login` stored. */
  token?: string | false | undefined;
}

export const SOURCE_OPTIONS: OptionNames<SourceOptions> = {
  signal: "AbortSignal", fetch: "function", progress_callback: "function", revision: "string", cache_dir: "string", local_files_only: "boolean", token: true,
};
