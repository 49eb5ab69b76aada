/** Patterns of paths: `*` and `?` within a name, `[a-c]`, `{jpg,png}`, and `**` for any number of folders. */
import { checkText } from "../core/options.js";

/** Whether a text could be a pattern. */
export function isPattern(text: string): boolean {
  checkText("A pattern", text);
  return /[*?]|\[[^\]]+\]|\{[^{}]*,[^{}]*\}/.test(text);
}

/** A parsed pattern: the folder without wildcards, and the parts that follow it. */
export interface Pattern {
  /** The folder where the search begins, without patterns; "" for the working folder, "/" for the root. */
  readonly folder: string;
  /** One for each further part of a path; undefined stands for any number of folders. */
  readonly names: readonly (RegExp | undefined)[];
}

/** Every pattern that `text` stands for: braces are spelled out. */
export function parsePatterns(text: string): Pattern[] {
  return spellOut(text).map((pattern) => {
    const parts = pattern.split("/"), first = parts.findIndex(isPattern), fixed = first < 0 ? parts.length - 1 : first;
    const folder = parts.slice(0, fixed).join("/");
    return { folder: folder === "" && pattern.startsWith("/") ? "/" : folder, names: parts.slice(fixed).filter((part) => part !== "").map(nameOf) };
  });
}

/** "a{b,c}" as "ab" and "ac". */
function spellOut(text: string): string[] {
  const [, before, choices, after] = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(text) ?? [];
  return choices === undefined ? [text] : choices.split(",").flatMap((choice) => spellOut(`${before}${choice}${after}`));
}

/** Names that begin with a dot are matched by patterns that do. */
function nameOf(part: string): RegExp | undefined {
  if (part === "**") return undefined;
  const source = part.replace(/\[!?[^\]]+\]|[\s\S]/g, (token) => {
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (token.length > 1) return `[${token.slice(1, -1).replace(/^!/, "^").replaceAll("\\", "\\\\")}]`;
    return token.replace(/[.+^${}()|[\]\\]/, "\\$&");
  });
  const literal = part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), start = part.startsWith(".") ? "" : "(?!\\.)";
  try {
    // The name itself matches too: people have folders such as "2023 [scans]".
    return new RegExp(`^${start}(?:${source}|${literal})$`, "u");
  } catch {
    // Not a range, such as [z-a].
    return new RegExp(`^${literal}$`, "u");
  }
}
