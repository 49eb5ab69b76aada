/** The files of the repository, as paths from its root with forward slashes. */
import { readdirSync, readFileSync } from "node:fs";

/** Made by tools, or brought by whoever works here; none of it is committed. */
const LEFT_OUT = new Set([".git", "node_modules", "build", "dist", "coverage", "shared"]);

/** Every file below `folder` ("" for the whole repository), sorted. */
export function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder === "" ? "." : folder, { withFileTypes: true });
  const paths = entries.flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (LEFT_OUT.has(entry.name)) return [];
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
  return paths.sort();
}

export function textOf(path: string): string {
  return readFileSync(path, "utf8");
}

/** The text of TypeScript, AssemblyScript or WGSL with its comments blanked, lines kept. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, " "));
}

/** The fenced code blocks of a Markdown file that are marked with `language`. */
export function codeBlocks(path: string, language: string): string[] {
  return [...textOf(path).matchAll(/^```(\w+)\n([^]*?)^```$/gm)].filter((match) => match[1] === language).map((match) => match[2]);
}
