/** The text chunks of PNG that may tell the orientation: XMP in iTXt, and the EXIF that ImageMagick writes as hexadecimal. */
import { inflate } from "./inflate.js";
import type { OrientationMetadata } from "./orientation.js";

const XMP_KEYWORD = "XML:com.adobe.xmp";
const EXIF_KEYWORD = "Raw profile type exif";
/** Longer texts are cut, as a guard against files made to fill the memory. */
const MAX_TEXT_BYTES = 1024 * 1024;

/** Reads a tEXt, zTXt or iTXt chunk. Gives nothing for other texts and for broken ones. */
export async function readTextChunk(type: string, data: Uint8Array): Promise<OrientationMetadata> {
  const keywordEnd = data.indexOf(0);
  const keyword = latin1(data.subarray(0, Math.max(keywordEnd, 0)));
  if (keyword !== XMP_KEYWORD && keyword !== EXIF_KEYWORD) return {};
  const text = await readText(type, data.subarray(keywordEnd + 1));
  if (text === undefined) return {};
  return keyword === XMP_KEYWORD ? { xmp: text } : { exif: readHexProfile(latin1(text)) };
}

async function readText(type: string, body: Uint8Array): Promise<Uint8Array | undefined> {
  if (type === "tEXt") return body;
  if (type === "zTXt") return inflateText(body.subarray(1));
  const [compressed] = body;
  const languageEnd = body.indexOf(0, 2);
  const translationEnd = body.indexOf(0, languageEnd + 1);
  if (languageEnd < 0 || translationEnd < 0) return undefined;
  const text = body.subarray(translationEnd + 1);
  return compressed ? inflateText(text) : text;
}

async function inflateText(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    return await inflate([bytes], MAX_TEXT_BYTES);
  } catch {
    return undefined; // a broken comment does not make the picture unreadable
  }
}

/** "\nexif\n<length>\n<hexadecimal, in lines>" to bytes; nothing when a digit is none. */
function readHexProfile(text: string): Uint8Array | undefined {
  const hex = text.split("\n").slice(3).join("").trim();
  if (hex.length % 2 !== 0 || /[^0-9a-fA-F]/.test(hex)) return undefined;
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
