/**
 * From the bytes of an untrusted JSON file to its value: its size is bounded before it is parsed, and it is read like Python's json
 * module does.
 */

/** Most levels of arrays and objects, the limit of the reference reader of safetensors. */
const MAX_DEPTH = 128;
/** Most values in one text: each takes up to 100 bytes of memory. The largest checkpoints have some ten thousand. */
const MAX_VALUES = 2 ** 22;

const QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c, OPEN_ARRAY = 0x5b, CLOSE_ARRAY = 0x5d, OPEN_OBJECT = 0x7b, CLOSE_OBJECT = 0x7d;

export interface JsonOptions {
  /** NaN, Infinity and -Infinity are numbers. Default false. */
  python?: boolean;
  /** Ignore a byte order mark before the text. Default false. */
  bom?: boolean;
  maxDepth?: number;
  maxValues?: number;
}

/**
 * @param bytes UTF-8
 * @throws Error, with a message for the user, for invalid JSON; RangeError for too many levels or values
 */
export function parseJson(bytes: Uint8Array, { python = false, bom = false, maxDepth = MAX_DEPTH, maxValues = MAX_VALUES }: JsonOptions = {}): unknown {
  checkSize(bytes, maxDepth, maxValues);
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: !bom }).decode(bytes);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (python && /NaN|Infinity/.test(text)) return parsePython(text);
    throw error;
  }
}

/** Counts the values that parsing would create. ASCII bytes are never part of other characters in UTF-8. */
function checkSize(bytes: Uint8Array, maxDepth: number, maxValues: number): void {
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
        if (++depth > maxDepth) throw new RangeError(`more than ${maxDepth} arrays and objects are nested at byte ${at}`);
        break;
      case CLOSE_ARRAY: case CLOSE_OBJECT:
        depth--;
        break;
    }
    if (values > maxValues) throw new RangeError(`more than ${maxValues} values up to byte ${at}`);
  }
}

/** Position of the quote that ends the string starting at `start`. `indexOf` searches for it, because an image in base64 is long. */
function endOfString(text: Uint8Array, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf(QUOTE, at);
    if (at < 0) return text.length;
    let escapes = at;
    while (text[escapes - 1] === BACKSLASH) escapes--;
    if ((at - escapes) % 2 === 0) return at;
  }
}

/**
 * JSON has no NaN and no infinities. While the text is parsed, a placeholder replaces NaN, and a number too large for f64 replaces
 * infinities.
 */
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
