/** The chunks of PNG that may tell the orientation: EXIF, XMP, and the EXIF that ImageMagick writes as hexadecimal text. */
import { IJepaError } from "../core/errors.js";
import { inflate } from "./inflate.js";
import type { OrientationMetadata } from "./orientation.js";
import type { Chunk } from "./png-chunks.js";
import { MAX_ALL_TEXT_BYTES, MAX_DEFLATE_RATIO, MAX_TEXT_BYTES } from "./png-format.js";

const XMP_KEYWORD = "XML:com.adobe.xmp";
/** EXIF as it is, and in hexadecimal. */
const EXIF_KEYWORD = "exif", PROFILE_KEYWORD = "Raw profile type exif";
const TEXTS = ["tEXt", "zTXt", "iTXt"];
const KEYWORDS = [XMP_KEYWORD, EXIF_KEYWORD, PROFILE_KEYWORD];
/** What a compressed text counts at least: to begin with it takes as long. */
const LEAST_TEXT_BYTES = 2 ** 14;
/** Of the specification. */
const MAX_KEYWORD = 79;

/**
 * Of EXIF, plain or as a text of that name, the last counts, and of every other keyword the last text; other chunks are not looked at.
 *
 * @throws IJepaError `image/too-complex` when the compressed texts make too many bytes
 */
export async function readMetadata(chunks: readonly Chunk[], source: string): Promise<OrientationMetadata> {
  const texts = new Map<string, Uint8Array>();
  let inflated = 0;
  for (const { type, data } of chunks) {
    if (type === "eXIf") texts.set(EXIF_KEYWORD, data);
    if (!TEXTS.includes(type)) continue;
    const end = data.subarray(0, MAX_KEYWORD + 1).indexOf(0), keyword = String.fromCharCode(...data.subarray(0, Math.max(end, 0)));
    if (!KEYWORDS.includes(keyword)) continue;
    const body = bodyOf(type, data.subarray(end + 1));
    if (body === undefined) continue;
    const most = Math.min(MAX_TEXT_BYTES, MAX_DEFLATE_RATIO * body.bytes.length), text = body.compressed ? await inflateText(body.bytes, most) : body.bytes;
    // How far a broken text was read is not known.
    if (body.compressed) inflated += Math.max(LEAST_TEXT_BYTES, text?.length ?? most);
    if (inflated > MAX_ALL_TEXT_BYTES) {
      const message = `${source} is a PNG image with more than ${MAX_ALL_TEXT_BYTES} bytes of compressed comments. Save it again without them.`;
      throw new IJepaError("image/too-complex", message, { source, kind: "PNG", what: "bytes of comments", count: inflated });
    }
    // What Pillow makes of a broken text: nothing of iTXt, an empty one of zTXt.
    if (text !== undefined || type === "zTXt") texts.set(keyword, text ?? new Uint8Array(0));
  }
  const profile = texts.get(PROFILE_KEYWORD);
  return { exif: texts.get(EXIF_KEYWORD) ?? (profile && readHexProfile(latin1(profile))), xmp: texts.get(XMP_KEYWORD) };
}

/** The text after a chunk's keyword; nothing when the chunk is broken. */
function bodyOf(type: string, body: Uint8Array): { bytes: Uint8Array; compressed: boolean } | undefined {
  if (type === "tEXt") return { bytes: body, compressed: false };
  if (type === "zTXt") return { bytes: body.subarray(1), compressed: true };
  const [compressed, method] = body;
  const languageEnd = body.indexOf(0, 2);
  const translationEnd = body.indexOf(0, languageEnd + 1);
  if (languageEnd < 0 || translationEnd < 0 || (compressed !== 0 && method !== 0)) return undefined;
  return { bytes: body.subarray(translationEnd + 1), compressed: compressed !== 0 };
}

async function inflateText(bytes: Uint8Array, most: number): Promise<Uint8Array | undefined> {
  try {
    return (await inflate([bytes], most)).bytes;
  } catch {
    return undefined; // a broken comment does not make the picture unreadable
  }
}

/** "\nexif\n<length>\n<hexadecimal, in lines>" to bytes; undefined if one of the digits is not hexadecimal. */
function readHexProfile(text: string): Uint8Array | undefined {
  let at = 0;
  for (let lines = 0; lines < 3; lines++) {
    at = text.indexOf("\n", at) + 1;
    if (at === 0) return new Uint8Array(0);
  }
  const hex = text.slice(at).replace(/\s/g, "");
  if (hex.length % 2 !== 0 || /[^0-9a-fA-F]/.test(hex)) return undefined;
  const digit = (at: number) => {
    const code = hex.charCodeAt(at);
    return code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57;
  };
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = digit(2 * i) * 16 + digit(2 * i + 1);
  return bytes;
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
