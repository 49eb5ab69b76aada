/** An image of the command line, and what is wrong with its file. */
import { loadImage } from "../index.js";
import type { RawImage } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import type { Settings } from "./args.js";
import { printable } from "./text.js";

/** Reads a file, a URL, or standard input for "-". Warnings of a damaged file go to stderr. */
export async function readImage(file: string, { maxPixels, strict }: Settings, host: CliHost): Promise<RawImage> {
  const options = { signal: host.signal, strict, ...(maxPixels === undefined ? {} : { maxPixels }) };
  const image = file === "-" ? await loadImage(await host.readStdin(), { ...options, source: "standard input" }) : await loadImage(file, options);
  for (const warning of image.warnings ?? []) await host.stderr.write(`ijepa: warning: ${printable(`${file} is damaged: ${warning}`)}\n`);
  return image;
}
