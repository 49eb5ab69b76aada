/** Commands that take images by the thousand: which they are. */
import { runtime } from "#runtime";
import { chunksOfFile, findImages, imagesOfLines, isAddress, isPattern, linesOf, type BulkSource } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import type { Settings } from "./args.js";

/** Whether the command line names more than the images it lists, or asks for what only many have. */
export async function isMany({ images, recursive, fromFile, out }: Settings): Promise<boolean> {
  if (recursive || fromFile !== undefined || out === "-" || /\.parquet$/i.test(out ?? "")) return true;
  for (const image of images) {
    if (isAddress(image)) continue;
    const info = await runtime.files?.stat(image).catch(() => undefined);
    if (info?.kind === "folder" || (info === undefined && isPattern(image))) return true;
  }
  return false;
}

/** The images of a command line, in its order; then those of --from-file. Throws IJepaError `io/read` for a list that cannot be read. */
export async function* imagesOf({ images, recursive, fromFile }: Settings, host: CliHost): AsyncGenerator<BulkSource, void, undefined> {
  for (const image of images) {
    if (image === "-") yield { name: "-", read: () => host.readStdin() };
    else yield* findImages([image], { recursive });
  }
  if (fromFile !== undefined) yield* imagesOfLines(linesOf(fromFile === "-" ? host.stdinChunks() : chunksOfFile(fromFile)));
}

/** How many they are, as far as that can be told without reading them. */
export async function countOfImages({ images, recursive, fromFile }: Settings): Promise<number | undefined> {
  if (fromFile === "-") return undefined;
  let count = 0;
  for await (const _ of findImages(images, { recursive })) count++;
  if (fromFile !== undefined) for await (const line of linesOf(chunksOfFile(fromFile))) if (line.trim() !== "") count++;
  return count;
}
