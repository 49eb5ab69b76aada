/** The images that a command line names: files, URLs, and everything below folders. */
import { runtime } from "#runtime";
import { IJepaError } from "../index.js";

const EXTENSIONS = /\.(jpe?g|jpe|jfif|png|webp)$/i;

/** What cannot be looked into. */
export type OnUnreadable = (error: IJepaError, path: string) => void | Promise<void>;

/** Paths in the order of the arguments, those of a folder by name. Links are followed, but no folder is entered twice. */
export async function* imagesBelow(given: readonly string[], onUnreadable: OnUnreadable): AsyncGenerator<string> {
  const entered = new Set<string>();
  for (const one of given) {
    const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(one), info = isUrl ? undefined : await runtime.files!.stat(one).catch(() => undefined);
    if (info?.kind === "folder") yield* below(one.replace(/(.)[/\\]+$/, "$1"), entered, onUnreadable);
    else yield one;
  }
}

async function* below(folder: string, entered: Set<string>, onUnreadable: OnUnreadable): AsyncGenerator<string> {
  const files = runtime.files!;
  let names: string[];
  try {
    const real = (await files.realPath(folder)) ?? folder;
    if (entered.has(real)) return;
    entered.add(real);
    names = (await files.list(folder)).sort();
  } catch (cause) {
    const message = `Cannot read the folder ${folder}: ${cause instanceof Error ? cause.message : String(cause)}.`;
    await onUnreadable(new IJepaError("io/read", message, { path: folder }, { cause }), folder);
    return;
  }
  for (const name of names) {
    const path = folder === "." ? name : `${folder === "/" ? "" : folder}/${name}`, info = await files.stat(path).catch(() => undefined);
    if (info?.kind === "folder") yield* below(path, entered, onUnreadable);
    else if (EXTENSIONS.test(name)) yield path;
  }
}
