/** Lists of images: one on each line, as a path, a URL, or the image itself in base64. */
import { runtime } from "#runtime";
import { fromBase64 } from "../core/base64.js";
import { IJepaError } from "../core/errors.js";
import { checkIterable, checkText } from "../core/options.js";
import { addressSource, dataSource, type BulkSource } from "./source.js";

/** The limit of `loadImage`, in characters of base64. */
const MAX_LINE = 360 * 2 ** 20;
const CHUNK = 2 ** 16;
/** The beginning of a JPEG, PNG, WebP, GIF or BMP file in base64, and long enough not to be a path. */
const BASE64_IMAGE = /^(\/9j\/|iVBORw0KGgo|UklGR|R0lGOD|Qk)[A-Za-z0-9+/]{60,}={0,2}$/;

/**
 * The lines of a text in UTF-8, without their ends; the last may lack one. Names that end in NUL, as "find -print0" writes them, may
 * contain line breaks.
 *
 * @throws IJepaError `input/value` for a line that is too long
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  checkIterable("chunks", chunks, "the bytes of a list, in pieces");
  const decoder = new TextDecoder();
  // The pieces of a line so far: joined only once, because lines may be long.
  let parts: string[] = [], length = 0, end: string | undefined;
  const lineOf = (text: string) => (end === "\0" ? text : text.replace(/\r$/, ""));
  for await (const chunk of chunks) {
    const piece = decoder.decode(chunk, { stream: true });
    end ??= ["\0", "\n"].find((one) => piece.includes(one));
    const texts = piece.split(end ?? "\n");
    for (const [i, text] of texts.entries()) {
      parts.push(text);
      length += text.length;
      if (length > MAX_LINE) throw new IJepaError("io/read", `A line of the list has more than ${MAX_LINE} characters.`, { path: "the list" });
      if (i === texts.length - 1) break;
      yield lineOf(parts.join(""));
      [parts, length] = [[], 0];
    }
  }
  const last = parts.join("") + decoder.decode();
  if (last !== "") yield lineOf(last);
}

/** A file, piece by piece. Throws IJepaError `io/read`. */
export async function* chunksOfFile(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  checkText("path", path);
  const file = await runtime.openFile(path);
  try {
    for (let at = 0; at < file.size; at += CHUNK) yield await file.read(at, Math.min(CHUNK, file.size - at));
  } finally {
    await file.close();
  }
}

/**
 * The image of each line that is not empty: exactly one, so that every line gets one answer. Folders and patterns are not expanded. An
 * image in base64 is named by the number of its line.
 */
export async function* imagesOfLines(lines: AsyncIterable<string>): AsyncGenerator<BulkSource, void, undefined> {
  checkIterable("lines", lines, "lines, as linesOf gives them");
  let number = 0;
  for await (const line of lines) {
    number++;
    checkText(`line ${number}`, line);
    if (line.trim() === "") continue;
    if (BASE64_IMAGE.test(line)) yield base64Source(`line ${number}`, line);
    else if (/^data:/i.test(line)) yield dataSource(`line ${number}`, line);
    else yield addressSource(line);
  }
}

function base64Source(name: string, text: string): BulkSource {
  return {
    name,
    async read() {
      try {
        return fromBase64(text);
      } catch (cause) {
        throw new IJepaError("io/read", `Cannot read ${name}: its base64 is damaged.`, { path: name }, { cause });
      }
    },
  };
}
