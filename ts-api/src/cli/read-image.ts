/** An image of the command line, and what is wrong with its file. */
import { loadImage, type RawImage } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import type { Settings } from "./args.js";
import { printable } from "./text.js";

/** Reads a file, a URL, or standard input for "-". Warnings of a damaged file go to stderr. */
export async function readImage(file: string, settings: Settings, host: CliHost): Promise<RawImage> {
  const { maxPixels, strict } = settings;
  const options = { signal: host.signal, strict, timeout: downloadTime(settings), ...(maxPixels === undefined ? {} : { maxPixels }) };
  const image = file === "-" ? await loadImage(await host.readStdin(), { ...options, source: "standard input" }) : await loadImage(file, options);
  await warnOfDamage({ source: file, warnings: image.warnings ?? [] }, host);
  return image;
}

/** Prints on stderr what is wrong with the file of an image that could still be read. */
export async function warnOfDamage({ source, warnings }: { source: string; warnings: readonly string[] }, { stderr }: CliHost): Promise<void> {
  for (const warning of warnings) await stderr.write(`ijepa: warning: ${printable(`${source} is damaged: ${warning}`)}\n`);
}

/** Of --timeout, in milliseconds. */
export function downloadTime({ timeout }: Settings): number | undefined {
  return timeout === undefined ? undefined : timeout * 1000;
}
