/** JSON of untrusted files: bounded before it is parsed, and read as Python's json module reads it. */

/** Levels of arrays and objects; the reference reader of safetensors allows as many. */
const MAX_DEPTH = 128;
/** Values in one text: what is made of each takes up to 100 bytes of memory. The largest checkpoints have some ten thousand. */
const MAX_VALUES = 2 ** 22;

const QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c, OPEN_ARRAY = 0x5b, CLOSE_ARRAY = 0x5d, OPEN_OBJECT = 0x7b, CLOSE_OBJECT = 0x7d;

/**
 * @param bytes UTF-8
 * @param options `python`: NaN, Infinity and -Infinity are numbers; `bom`: a byte order mark before the text is left out
 * @throws Error, with a message for the user, for what is no JSON; RangeError for what nests too deep or has too many values
 */
export function parseJson(bytes: Uint8Array, { python = false, bom = false }: { python?: boolean; bom?: boolean } = {}): unknown {
  checkSize(bytes);
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: !bom }).decode(bytes);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (python && /NaN|Infinity/.test(text)) return parsePython(text);
    throw error;
  }
}

/** Counts what parsing would make. Bytes of ASCII are no part of other characters in UTF-8. */
function checkSize(bytes: Uint8Array): void {
  let depth = 0, values = 1;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = endOfString(bytes, at);
        break;
      case COMMA:
        values++;
        break;
      case OPEN_ARRAY: case OPEN_OBJECT:
        values++;
        if (++depth > MAX_DEPTH) throw new RangeError(`more than ${MAX_DEPTH} arrays and objects lie in each other at byte ${at}`);
        break;
      case CLOSE_ARRAY: case CLOSE_OBJECT:
        depth--;
        break;
    }
    if (values > MAX_VALUES) throw new RangeError(`more than ${MAX_VALUES} values up to byte ${at}`);
  }
}

/** The place of the quote that ends the string which begins at `start`. */
function endOfString(text: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return at;
}

/** JSON has no NaN and no infinities: the first stand in for it while the text is parsed, a number too large for f64 for the others. */
function parsePython(text: string): unknown {
  const nan = `NaN ${crypto.randomUUID()}`;
  let plain = "", from = 0, inString = false;
  for (const { 0: token, index } of text.matchAll(/\\.|"|(?<![\w.])(?:NaN|Infinity)(?![\w.])/gs)) {
    if (token === '"') inString = !inString;
    if (inString || token === '"' || token.startsWith("\\")) continue;
    plain += text.slice(from, index) + (token === "NaN" ? JSON.stringify(nan) : "1e999");
    from = index + token.length;
  }
  return JSON.parse(plain + text.slice(from), (_, value: unknown) => (value === nan ? NaN : value)) as unknown;
}
