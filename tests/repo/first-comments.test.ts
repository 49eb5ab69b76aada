/** Every source file begins with a comment on what it does, before its imports. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { filesBelow, textOf } from "./tree.js";

const FOLDERS = ["ts-api", "assembly", "gpu", "weights-tools", "codecs", "bench", "scripts", "tests"];
const SOURCE = /\.(ts|mjs|wgsl|c)$/;
const sources = FOLDERS.flatMap(filesBelow).filter((path) => SOURCE.test(path) && !path.startsWith("tests/goldens/"));

test("every source file begins with a comment of a sentence", () => {
  assert.ok(sources.length > 500, `${sources.length} files`);
  assert.deepEqual(sources.filter((path) => firstComment(textOf(path)).split(/\s+/).length < 4), []);
});

/** The comment before the first line of code; one that is right above a constant is the constant's. */
function firstComment(text: string): string {
  const start = text.replace(/^#!.*\n/, "").replace(/^(\/\/\/.*\n)+\n*/, "");
  const comment = /^(?:\/\*[^]*?\*\/|\/\/.*(?:\n\/\/.*)*)/.exec(start)?.[0] ?? "";
  return /^\n?(?:const|let|type|function) /.test(start.slice(comment.length)) ? "" : comment.replace(/^[/*\s]+|[/*\s]+$/g, "");
}
