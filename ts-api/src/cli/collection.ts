/** `ijepa collection`: describes a collection, and verifies, repairs, compacts or exports it. */
import { runtime } from "#runtime";
import { IJepaError, imagesOfLines } from "../index.js";
import type { Collection } from "../collections/index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, type Command, type Settings } from "./args.js";
import { openEncoderOf } from "./collection-encoder.js";
import { shareOf, textOf } from "./collection-options.js";
import { reportFailure, UsageError } from "./exit.js";
import { ProgressBar } from "./progress.js";
import { countOf, namesBeside, printable } from "./text.js";

/** Exit code for a damaged collection, as in exit.ts. */
const DAMAGED = 8;

export const collection: Command = {
  name: "collection",
  usage: "COLLECTION [options]",
  summary: "Describe a collection; check, repair, compact or export it",
  options: ["verify", "repair", "compact", "export", "encoder", ...SOURCE_OPTIONS.filter((name) => name !== "model"), "device", "threads", "revectorize", "json", "help"],
  images: [1, 1],
  notes: [
    "--verify compares every file with its digest, then encodes a share of the images again and compares the bits. The exit code is 0 only if all of them match.",
    "--repair moves damaged files aside; \"ijepa index\" then restores the images that they held.",
    "--export FILE.npy also writes FILE.names.json, the list of the images of its rows. PostgreSQL needs pgvector and the npm package postgres (postgres://USER:PASSWORD@HOST/DATABASE?table=NAME). Qdrant takes http://HOST:6333/NAME, with its key in QDRANT_API_KEY.",
  ],
  run: runCollection,
};

async function runCollection(settings: Settings, host: CliHost): Promise<number> {
  const { images: [folder], json, given } = settings, { signal } = host, share = shareOf(given, "verify"), target = textOf(given, "export");
  const { Collection } = await import("../collections/index.js"), bar = new ProgressBar(host.stderr);
  const opened = await Collection.open(folder, { signal, skipDamaged: share !== undefined || given["repair"] === true });
  try {
    const repaired = given["repair"] === true ? await opened.repair() : undefined;
    const checked = share === undefined ? undefined : await verify(opened, share, settings, host);
    if (given["compact"] === true) await opened.compact();
    const exported = target === undefined ? undefined : await exportTo(opened, target, host, bar);
    bar.clear();
    const { places, images } = opened.size, root = await opened.rootDigest(), failures = (await opened.failures()).length, { encoding } = opened;
    const document = { collection: folder, places, images, failures, parts: opened.partSizes.length, root, encoding, repaired, checked, exported };
    await host.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : toText(document));
    return checked !== undefined && checked.bad.length + checked.different.length > 0 ? DAMAGED : 0;
  } finally {
    bar.clear();
    await opened.close();
  }
}

interface Checked {
  readonly parts: number;
  readonly bad: readonly { readonly file: string; readonly problem: string; readonly rows: number | undefined; readonly first: string | undefined; readonly last: string | undefined }[];
  /** Images that were encoded again, and those whose bits differ. */
  readonly encoded: number;
  readonly different: readonly string[];
  /** Images that could not be read again. */
  readonly unreadable: readonly string[];
  /** Images whose files have changed since they were indexed. */
  readonly changed: readonly string[];
}

async function verify(opened: Collection, share: number, settings: Settings, host: CliHost): Promise<Checked> {
  const { signal } = host, { parts, bad } = await opened.verify({ signal });
  const places = [...opened.live.rows()], count = Math.ceil(share * places.length), different: string[] = [], unreadable: string[] = [], changed: string[] = [];
  if (count === 0) return { parts, bad, encoded: 0, different, unreadable, changed };
  const { imageId } = await import("../collections/index.js"), encoder = await openEncoderOf(opened, settings, signal);
  try {
    for (let i = 0; i < count; i++) {
      const { part, row } = places[Math.floor((i * places.length) / count)], index = opened.live.parts[part], source = index.source(row);
      try {
        const file = await readPlace(source, signal);
        if ((await imageId(file)) !== index.id(row)) changed.push(source);
        else if ((await encoder.embed(file, { signal })).digest !== index.digest(row)) different.push(source);
      } catch (error) {
        if (!(error instanceof IJepaError) || error.code === "aborted") throw error;
        await reportFailure(host, error, { json: settings.json, file: source });
        unreadable.push(source);
      }
    }
    return { parts, bad, encoded: count - unreadable.length - changed.length, different, unreadable, changed };
  } finally {
    await encoder.dispose();
  }
}

/** The bytes of the image at a place, whatever its name looks like. */
async function readPlace(place: string, signal: AbortSignal): Promise<Uint8Array> {
  async function* line() {
    yield place;
  }
  const { value } = await imagesOfLines(line()).next();
  return value!.read(signal);
}

async function exportTo(opened: Collection, target: string, host: CliHost, bar: ProgressBar): Promise<{ target: string; rows: number }> {
  if (/^(https?|postgres(ql)?):/i.test(target) && !URL.canParse(target)) throw new UsageError("The address given to --export is not a valid URL.");
  const tools = await import("../collections/index.js"), { places } = opened.size, options = { signal: host.signal, onProgress: (done: number) => bar.show(done, places, "exported") };
  if (/^https?:/i.test(target)) return { target: withoutSecrets(target), rows: await tools.exportQdrant(opened, target, { ...options, apiKey: runtime.env("QDRANT_API_KEY") }) };
  if (/^postgres(ql)?:/i.test(target)) {
    const url = new URL(target), table = url.searchParams.get("table") ?? undefined;
    url.searchParams.delete("table");
    const client = await tools.openPostgres(url.href);
    try {
      return { target: withoutSecrets(target), rows: await tools.exportSql(opened, client, table, options) };
    } finally {
      await client.end();
    }
  }
  const content = tools.exportFile(opened, target, options);
  await host.checkWritable(target);
  await runtime.writeFile(target, content);
  if (/\.npy$/i.test(target)) await runtime.writeFile(namesBeside(target), tools.exportNames(opened));
  return { target, rows: places };
}

function withoutSecrets(address: string): string {
  const url = new URL(address);
  url.password = "";
  return url.href;
}

function toText({ collection: folder, places, images, failures, parts, root, encoding, repaired, checked, exported }: {
  collection: string; places: number; images: number; failures: number; parts: number; root: string; encoding: Collection["encoding"]; repaired?: Checked["bad"] | undefined; checked?: Checked | undefined; exported?: { target: string; rows: number } | undefined;
}): string {
  const { model, dtype, layers, tokens, width, encoder } = encoding, describe = ({ file, problem, rows, first, last }: Checked["bad"][number]) =>
    `  ${file}: ${printable(problem)}${rows === undefined ? "" : `; ${rows} places, from ${printable(JSON.stringify(first))} to ${printable(JSON.stringify(last))}`}`;
  const lines = [
    `${printable(folder)}: ${images} images at ${places} places, ${countOf(failures, "failure")}, ${countOf(parts, "part")}`,
    `root digest ${root}`,
    `encoding: ${printable(model ?? "the package's own model")} (${encoder.slice(0, 12)}), ${dtype}, layers ${layers}${tokens === null ? "" : ", with patches"}, width ${width}`,
  ];
  if (repaired !== undefined) {
    const aside = repaired.filter(({ file }) => file.startsWith("parts/")), anew = repaired.filter((one) => !aside.includes(one));
    lines.push(`moved aside: ${aside.length === 0 ? "nothing" : ""}`, ...aside.map(describe));
    if (anew.length > 0) lines.push("written anew:", ...anew.map(describe));
  }
  if (checked !== undefined) {
    const { bad, encoded, different, unreadable, changed } = checked;
    lines.push(bad.length === 0 ? "every file is as it was written" : "damaged:", ...bad.map(describe));
    if (encoded > 0) lines.push(`${encoded} encoded again: ${different.length === 0 ? "the same bits" : `${different.length} with other bits`}`, ...different.map((source) => `  ${printable(source)}`));
    if (unreadable.length > 0) lines.push(`${unreadable.length} could not be read again`);
    if (changed.length > 0) lines.push(`${countOf(changed.length, "file")} changed since ${changed.length === 1 ? "it was" : "they were"} indexed; "ijepa index" reads ${changed.length === 1 ? "it" : "them"} anew`);
  }
  if (exported !== undefined) lines.push(`${exported.rows} rows exported to ${printable(exported.target)}`);
  return `${lines.join("\n")}\n`;
}
