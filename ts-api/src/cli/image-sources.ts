/** From a command line to the images that it names: files, folders, patterns, URLs, lists. */
import { runtime } from "#runtime";
import { chunksOfFile, DecodePool, findImages, imagesOfLines, isAddress, isPattern, linesOf, type BulkSource } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import type { OptionName, Settings } from "./args.js";
import { UsageError } from "./exit.js";

/** The options of commands that take many images. */
export const MANY_OPTIONS = ["recursive", "from-file", "max-pixels", "strict", "timeout", "decode-threads", "decode-timeout"] as const satisfies readonly OptionName[];

/** Whether the command line names images by folders, patterns or lists, or uses an option of many images. */
export async function isMany({ images, recursive, fromFile, out }: Settings): Promise<boolean> {
  if (recursive || fromFile !== undefined || out === "-" || /\.parquet$/i.test(out ?? "")) return true;
  for (const image of images) {
    if (isAddress(image)) continue;
    const info = await runtime.files?.stat(image).catch(() => undefined);
    if (info?.kind === "folder" || (info === undefined && isPattern(image))) return true;
  }
  return false;
}

/**
 * Checks the images of the command line before a model is loaded. Throws UsageError, and IJepaError `io/read` for a list that cannot be
 * read.
 */
export async function checkImages({ images, fromFile }: Settings): Promise<void> {
  if (fromFile === "-" && images.includes("-")) throw new UsageError("Standard input (-) can be read as a list or as an image, not as both.");
  if (fromFile !== undefined && !(await isReadOnce(fromFile))) await (await runtime.openFile(fromFile)).close();
}

/** The images of a command line, in its order; then those of --from-file. Throws IJepaError `io/read` for a list that cannot be read. */
export async function* imagesOf({ images, recursive, fromFile }: Settings, host: CliHost): AsyncGenerator<BulkSource, void, undefined> {
  for (const image of images) {
    if (image === "-") yield { name: "-", read: () => host.readStdin() };
    else yield* findImages([image], { recursive });
  }
  if (fromFile !== undefined) yield* imagesOfLines(linesOf(await chunksOfList(fromFile, host)));
}

/** The same with names that stay valid: an image without path or URL is named by its digest. */
export async function* placesOf(settings: Settings, host: CliHost): AsyncGenerator<BulkSource, void, undefined> {
  const { imageId } = await import("../collections/index.js");
  for await (const source of imagesOf(settings, host)) {
    if (source.look !== undefined) yield source;
    else yield await source.read(host.signal).then(async (bytes) => ({ name: `sha256:${await imageId(bytes)}`, read: async () => bytes }), () => source);
  }
}

/** The number of images, if it is known without reading them. */
export async function countOfImages({ images, recursive, fromFile }: Settings): Promise<number | undefined> {
  if (fromFile !== undefined && (await isReadOnce(fromFile))) return undefined;
  let count = 0;
  for await (const _ of findImages(images, { recursive })) count++;
  if (fromFile !== undefined) for await (const line of linesOf(chunksOfFile(fromFile))) if (line.trim() !== "") count++;
  return count;
}

async function chunksOfList(list: string, host: CliHost): Promise<AsyncIterable<Uint8Array>> {
  if (list === "-") return host.stdinChunks();
  return (await isReadOnce(list)) ? host.pipeChunks(list) : chunksOfFile(list);
}

/** Whether a list is standard input or a pipe. */
async function isReadOnce(list: string): Promise<boolean> {
  return list === "-" || (await runtime.files?.stat(list).catch(() => undefined))?.kind === "other";
}

/** The decoders that a command line asks for. */
export function openDecoders({ decodeThreads, decodeTimeout }: Settings): DecodePool {
  return new DecodePool({ threads: decodeThreads, timeout: decodeTimeout === undefined ? undefined : decodeTimeout * 1000 });
}
