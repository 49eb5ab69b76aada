/** Checks names of models, revisions and files of the Hub, and makes URLs and paths of them. */
import { IJepaError } from "../../core/errors.js";
import { show } from "../../core/show.js";

/** True for a text that may be the name of a model on the Hub, "owner/name"; everything else is a path. */
export function looksLikeRepo(ref: string): boolean {
  return /^[\w.-]+\/[\w.-]+$/.test(ref) && !ref.startsWith(".");
}

/** First parts of the Hub's addresses that are not owners of models. */
const NO_OWNERS = new Set(["api", "blog", "collections", "datasets", "docs", "learn", "models", "organizations", "papers", "posts", "settings", "spaces", "tasks"]);

/**
 * The model that an address of the Hub's site shows, as people copy it from there: https://huggingface.co/OWNER/NAME, with or without
 * /tree/REVISION, /commit/REVISION or the path of a file; undefined for every other text.
 */
export function modelOfAddress(ref: string): { repo: string; revision: string | undefined } | undefined {
  const [, path] = /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/([^?#]+)/i.exec(ref) ?? [];
  const [owner, name, kind, ...rest] = (path ?? "").replace(/\/+$/, "").split("/");
  if (name === undefined || NO_OWNERS.has(owner) || !looksLikeRepo(`${owner}/${name}`)) return undefined;
  if (kind === undefined) return { repo: `${owner}/${name}`, revision: undefined };
  if (!["tree", "blob", "raw", "commit"].includes(kind) || rest.length === 0) return undefined;
  // A branch may have slashes, which the site writes as %2F; the rest is a file.
  const revision = rest[0] === "refs" ? rest.slice(0, 3).join("/") : rest[0];
  return { repo: `${owner}/${name}`, revision: revision.replace(/(%[0-9a-f]{2})+/gi, decoded) };
}

/** Bytes that are not UTF-8 stay escaped: no revision has them. */
function decoded(escapes: string): string {
  try {
    return decodeURIComponent(escapes);
  } catch {
    return escapes;
  }
}

/**
 * The Hub's rules for names (`validate_repo_id` of huggingface_hub).
 * @throws IJepaError `input/value`
 */
export function checkRepo(repo: string): void {
  const problem = repo.split("/").some((part) => /^[-.]|[-.]$/.test(part))
    ? "a part of it begins or ends with - or ."
    : /--|\.\./.test(repo)
      ? "it holds -- or .."
      : repo.endsWith(".git")
        ? "it ends with .git"
        : repo.length > 96
          ? `it has ${repo.length} characters, more than 96`
          : undefined;
  if (problem === undefined) return;
  const message = `${show(repo)} is neither a folder here nor the name of a model on the Hugging Face Hub: ${problem}.`;
  throw new IJepaError("input/value", message, { name: "model", value: repo });
}

/**
 * A branch, a tag, a commit, or refs/pr/1. The rules of git keep it inside the folder of the refs.
 * @throws IJepaError `input/value`; TypeError when it is not a string
 */
export function checkRevision(revision: unknown): string {
  if (typeof revision !== "string") throw new TypeError(`revision must be a string, not ${show(revision)}.`);
  const parts = revision.split("/");
  const bad = revision.length > 250 || /[\p{Cc} ~^:?*[\\]|\.\.|@\{/u.test(revision) || parts.some((part) => part === "" || /^[.-]|\.$/.test(part));
  if (!bad) return revision;
  throw new IJepaError("input/value", `${show(revision)} cannot be a revision: pass a branch, a tag or a commit.`, { name: "revision", value: revision });
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/**
 * A file in the top folder of a model.
 * @throws IJepaError `input/value` for a name with a way out of it
 */
export function checkFileName(name: string): void {
  if (/^[^/\\:\p{Cc}]+$/u.test(name) && name !== "." && name !== "..") return;
  throw new IJepaError("input/value", `${show(name)} cannot be the name of a file of a model.`, { name: "file", value: name });
}

/** The name of a model's folder in the cache, as huggingface_hub has it. */
export function cacheFolderName(repo: string): string {
  return `models--${repo.replace("/", "--")}`;
}

/** The address of a file, with redirects to where its bytes are. */
export function resolveUrl(endpoint: string, repo: string, revision: string, file: string): string {
  return `${endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${encodeURIComponent(file)}`;
}
