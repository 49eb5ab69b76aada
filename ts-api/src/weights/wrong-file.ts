/** From the first bytes of a file that is not a checkpoint to what it is, for messages: a web page, a Git LFS pointer, another format. */
import { show } from "../core/show.js";

/** Bytes that are enough to recognise a file. */
export const HEAD_BYTES = 512;

const GIT_LFS = "version https://git-lfs.github.com/spec/";
const WEB_PAGE = /^<(?:!doctype html|html|head|body|title|meta|script|!--)/i;
const XML = /^<\?xml/i;

/**
 * Says what a file is instead of a model's file, and what to do; undefined for other files.
 * @param head its first bytes
 */
export function describeWrongFile(head: Uint8Array): string | undefined {
  const text = new TextDecoder("latin1").decode(head.subarray(0, HEAD_BYTES)).replace(/^\u00ef\u00bb\u00bf/, "").trimStart();
  if (text.startsWith(GIT_LFS)) {
    const [, size] = /^size (\d+)$/m.exec(text) ?? [];
    return `it is a Git LFS pointer, a note of where the file${size === undefined ? "" : ` of ${size} bytes`} is kept; run "git lfs pull" in its folder, or download the file itself`;
  }
  if (WEB_PAGE.test(text)) {
    return "it is a web page (HTML), not the file; download the file itself, which the Hub has under /resolve/ where its pages are under /blob/";
  }
  if (XML.test(text)) return "it is an XML document, as web pages and the error messages of file servers are; download the file itself";
  return undefined;
}

/** Says that a file is a text, such as the error message of a server; undefined for other files. */
export function describeText(head: Uint8Array): string | undefined {
  const text = new TextDecoder("latin1").decode(head.subarray(0, HEAD_BYTES)).trim();
  return /^[\t\n\r\x20-\x7e]+$/.test(text) ? `it is a text that begins with ${show(text)}; download the file itself` : undefined;
}

/** Formats by how their files begin, as Latin-1. */
const FORMATS: readonly (readonly [begin: RegExp, name: string])[] = [
  [/^PK\x03\x04/, "a zip, as torch.save writes"],
  [/^\x80[\x02-\x05]/, "a pickle of Python"],
  [/^GGUF/, "a GGUF file"],
  [/^\x89HDF/, "an HDF5 file"],
  [/^\x93NUMPY/, "an array of NumPy"],
  [/^\x08[\x01-\x0f][\x12:]/, "an ONNX file"],
  [/^....TFL/s, "a TensorFlow Lite file"],
  [/^[\x81-\x8f][\xa1-\xbf]\w/, "a file of Flax (MessagePack)"],
  [/^\x1f\x8b/, "compressed with gzip"],
  [/^\x28\xb5\x2f\xfd/, "compressed with zstd"],
  [/^\xfd7zXZ/, "compressed with xz"],
  [/^BZh\d/, "compressed with bzip2"],
  [/^7z\xbc\xaf/, "a 7z archive"],
  [/^.{257}ustar/s, "a tar archive"],
];

/** The format of a file that is not of the expected one; undefined if it is not known. */
export function formatOf(head: Uint8Array): string | undefined {
  const text = String.fromCharCode(...head.subarray(0, HEAD_BYTES));
  return FORMATS.find(([begin]) => begin.test(text))?.[1];
}

/** True for what begins as a safetensors file: eight bytes of a length, then JSON. */
export function isSafetensors(head: Uint8Array): boolean {
  return head[5] === 0 && head[6] === 0 && head[7] === 0 && /^\s*\{\s*"/.test(new TextDecoder("latin1").decode(head.subarray(8)));
}
