/** From the user's options and environment to where the Hub and its cache are, by the rules of huggingface_hub. */
import { runtime } from "#runtime";
import { hideCredentials } from "../../core/credentials.js";
import { IJepaError } from "../../core/errors.js";
import { messageOf, show } from "../../core/show.js";
import type { ByteSource } from "../../runtime/env.js";
import { readRange } from "../sources/bytes.js";
import { isDenied, openFileIfPresent } from "../sources/file.js";
import type { SourceOptions } from "../source-options.js";
import { checkRevision } from "./names.js";

const DEFAULT_ENDPOINT = "https://huggingface.co";
/** Longest token file that is read. */
const MAX_TOKEN = 4096;
/** Longest path of any system. */
const MAX_PATH = 4096;

export interface HubSettings {
  /** URL of the Hub, without a slash at its end. */
  readonly endpoint: string;
  readonly revision: string;
  readonly token: string | undefined;
  /** Folder of the cache, in hosts with files. */
  readonly cacheFolder: string | undefined;
  /** The Hub is not asked. */
  readonly offline: boolean;
  readonly fetch: typeof globalThis.fetch;
}

/** @throws IJepaError `input/value` for an invalid value; TypeError for a wrong type */
export async function readSettings(options: SourceOptions): Promise<HubSettings> {
  const { cache_dir: cache, local_files_only: offline, token, revision = "main" } = options;
  if (cache !== undefined && typeof cache !== "string") throw new TypeError(`cache_dir must be a string, not ${show(cache)}.`);
  if (offline !== undefined && typeof offline !== "boolean") throw new TypeError(`local_files_only must be true or false, not ${show(offline)}.`);
  if (token !== undefined && token !== false && typeof token !== "string") throw new TypeError("token must be a string or false.");
  const cacheFolder = runtime.files === undefined ? undefined : trimSlashes(cache === undefined || cache === "" ? defaultCache() : expandHome(cache));
  if (cacheFolder?.includes("\0")) throw new IJepaError("input/value", "cache_dir holds a zero byte.", { name: "cache_dir", value: show(cacheFolder) });
  if ((cacheFolder?.length ?? 0) > MAX_PATH) throw new IJepaError("input/value", `cache_dir has ${cacheFolder!.length} characters, too many for a path.`, { name: "cache_dir", value: show(cacheFolder) });
  return {
    endpoint: readEndpoint(),
    revision: checkRevision(revision),
    token: checkToken(token === false ? undefined : (token ?? (await storedToken()))),
    cacheFolder,
    offline: offline ?? (isTrue("HF_HUB_OFFLINE") || isTrue("TRANSFORMERS_OFFLINE")),
    fetch: options.fetch ?? runtime.fetch,
  };
}

function readEndpoint(): string {
  const endpoint = trimSlashes(variable("HF_ENDPOINT") ?? DEFAULT_ENDPOINT);
  if (/^https?:\/\//i.test(endpoint) && URL.canParse(endpoint)) return endpoint;
  const message = `HF_ENDPOINT is ${show(hideCredentials(endpoint))}, which is not an http(s) URL. Set it to a URL such as ${DEFAULT_ENDPOINT}, or unset it.`;
  throw new IJepaError("input/value", message, { name: "HF_ENDPOINT", value: endpoint });
}

async function storedToken(): Promise<string | undefined> {
  if (isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return undefined;
  const given = variable("HF_TOKEN") ?? variable("HUGGING_FACE_HUB_TOKEN");
  if (given !== undefined || runtime.files === undefined) return given;
  const file = await openStoredToken(variable("HF_TOKEN_PATH") ?? `${hfHome()}/token`);
  if (file === undefined) return undefined;
  try {
    return new TextDecoder().decode(await readRange(file, 0, Math.min(file.size, MAX_TOKEN)));
  } finally {
    await file.close();
  }
}

/** If the program lacks the permission to read it, there is none. */
async function openStoredToken(path: string): Promise<ByteSource | undefined> {
  try {
    return await openFileIfPresent(expandHome(path));
  } catch (error) {
    if (error instanceof Error && isDenied(error.cause)) return undefined;
    throw error;
  }
}

/** Neither the message nor the details show the token. */
function checkToken(given: string | undefined): string | undefined {
  const token = given?.trim() ?? "";
  if (token === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new IJepaError("input/value", "The Hub token holds characters that no token has. Was it copied completely?", { name: "token", value: undefined });
}

function defaultCache(): string {
  return expandHome(variable("HF_HUB_CACHE") ?? variable("HUGGINGFACE_HUB_CACHE") ?? `${hfHome()}/hub`);
}

function hfHome(): string {
  return variable("HF_HOME") ?? `${variable("XDG_CACHE_HOME") ?? "~/.cache"}/huggingface`;
}

/** @throws IJepaError `io/read` if the program may not read its home directory */
function expandHome(path: string): string {
  if (!/^~(?=$|[/\\])/.test(path) || runtime.files === undefined) return path;
  try {
    return runtime.files.home + path.slice(1);
  } catch (cause) {
    const message = `Cannot find ${path}: ${messageOf(cause)}. Name the folder of the Hub's cache with cache_dir or HF_HUB_CACHE.`;
    throw new IJepaError("io/read", message, { path }, { cause });
  }
}

function isTrue(name: string): boolean {
  return ["1", "ON", "YES", "TRUE"].includes(variable(name)?.toUpperCase() ?? "");
}

/** An environment variable; an empty one counts as not set. */
function variable(name: string): string | undefined {
  return runtime.env(name) || undefined;
}

function trimSlashes(text: string): string {
  return text.replace(/(?<=.)[/\\]+$/, "");
}
