/** From a collection to a database: a table of PostgreSQL with pgvector, or a collection of Qdrant. */
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { checkHas, checkText, readOptions, type OptionNames } from "../core/options.js";
import { networkFailure } from "../weights/sources/network.js";
import type { Collection } from "./collection.js";
import type { CollectionRow } from "./row.js";

/** Options of every export. */
export interface ExportOptions {
  /** When it is aborted, the work ends with IJepaError `aborted`. */
  signal?: AbortSignal | undefined;
  /** Called with the number of exported places. */
  onProgress?: ((done: number) => void) | undefined;
}

export const EXPORT_OPTIONS: OptionNames<ExportOptions> = { signal: "AbortSignal", onProgress: "function" };

/** A client that runs SQL, with numbered parameters. */
export interface SqlClient {
  /** Runs one statement; `$1`, `$2` stand for the parameters. */
  query(sql: string, parameters?: readonly unknown[]): Promise<unknown>;
}

const BATCH = 256;

/**
 * Writes the places into a table with pgvector, which is created if needed; a place that exists is replaced.
 * @param table its name; letters, digits and _
 * @returns how many places were written
 * @throws IJepaError `input/value` for another name, `collection/damaged`, `io/read`, `aborted`; what the client throws
 */
export async function exportSql(collection: Collection, client: SqlClient, table = "ijepa_features", given: ExportOptions = {}): Promise<number> {
  const options = readOptions(given, EXPORT_OPTIONS, "exportSql");
  checkHas("The collection", collection, "a Collection", "encoding", "live");
  checkHas("The client", client, "a client with query()", "query");
  if (!/^[A-Za-z_]\w{0,62}$/.test(table)) throw new IJepaError("input/value", `A table must be named by letters, digits and _, not ${JSON.stringify(table)}.`, { name: "table", value: table });
  await client.query("CREATE EXTENSION IF NOT EXISTS vector");
  await client.query(
    `CREATE TABLE IF NOT EXISTS "${table}" (source text PRIMARY KEY, id text NOT NULL, bytes bigint NOT NULL, modified timestamptz, width integer NOT NULL, height integer NOT NULL, ` +
      `label text, digest text NOT NULL, feature vector(${collection.encoding.width}) NOT NULL)`,
  );
  await client.query(`COMMENT ON TABLE "${table}" IS '${JSON.stringify(collection.encoding).replaceAll("'", "''")}'`);
  let done = 0;
  for await (const { source, id, bytes, modified, width, height, label, digest, feature } of collection.rows({ signal: options.signal, tokens: false })) {
    await client.query(
      `INSERT INTO "${table}" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::vector) ON CONFLICT (source) DO UPDATE SET id = EXCLUDED.id, bytes = EXCLUDED.bytes, modified = EXCLUDED.modified, ` +
        "width = EXCLUDED.width, height = EXCLUDED.height, label = EXCLUDED.label, digest = EXCLUDED.digest, feature = EXCLUDED.feature",
      [source, id, String(bytes), modified === null ? null : new Date(modified).toISOString(), width, height, label ?? null, digest, `[${feature.join()}]`],
    );
    done++;
    options.onProgress?.(done);
  }
  return done;
}

/** Options of `exportQdrant`. */
export interface QdrantOptions extends ExportOptions {
  /** Sent as the header `api-key`. Default: none. */
  apiKey?: string | undefined;
  /** Replaces the global `fetch`. */
  fetch?: typeof globalThis.fetch | undefined;
}

const QDRANT_OPTIONS: OptionNames<QdrantOptions> = { ...EXPORT_OPTIONS, apiKey: "string", fetch: "function" };

/**
 * Writes the images into a Qdrant collection through its REST interface; the collection is created if needed.
 * @param url http(s)://HOST[:PORT][/NAME]; default name "ijepa"
 * @throws IJepaError `input/value` for an invalid URL, `io/write` if the server refuses
 */
export async function exportQdrant(collection: Collection, url: string, given: QdrantOptions = {}): Promise<number> {
  const { apiKey, fetch = globalThis.fetch, ...options } = readOptions(given, QDRANT_OPTIONS, "exportQdrant");
  checkHas("The collection", collection, "a Collection", "encoding", "live");
  checkText("The address of Qdrant", url);
  if (!URL.canParse(url)) throw new IJepaError("input/value", "The address of Qdrant must be a URL: http(s)://HOST[:PORT][/NAME].", { name: "url", value: undefined });
  const { origin, pathname } = new URL(url), name = pathname.replace(/^\/|\/$/g, "") || "ijepa", base = `${origin}/collections/${name}`;
  const send = async (path: string, method: string, body?: object): Promise<Response> => {
    const headers = { "content-type": "application/json", ...(apiKey === undefined ? {} : { "api-key": apiKey }) };
    const fail = (reason: string, cause?: unknown) => new IJepaError("io/write", `Cannot write to ${base}: ${reason}.`, { path: base }, { cause });
    const response = await fetch(`${base}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }), ...(options.signal ? { signal: options.signal } : {}) }).catch((cause: unknown) => {
      throwIfAborted(options.signal, "exporting");
      throw fail(networkFailure(cause).problem, cause);
    });
    if (!response.ok && !(method === "GET" && response.status === 404)) throw fail(`the server answers ${response.status}: ${(await response.text()).slice(0, 200)}`);
    return response;
  };
  if (!(await send("", "GET")).ok) await send("", "PUT", { vectors: { size: collection.encoding.width, distance: "Cosine" } });
  let done = 0, images: CollectionRow[] = [];
  const flush = async (): Promise<void> => {
    const sources = collection.live.sourcesOf(images.map(({ id }) => id));
    const points = images.map(({ id, feature, width, height, digest, label }) => ({
      id: uuidOf(id), vector: Array.from(feature), payload: { id, sources: sources.get(id), width, height, digest, label },
    }));
    if (points.length > 0) await send("/points?wait=true", "PUT", { points });
    done += points.length;
    options.onProgress?.(done);
    images = [];
  };
  const seen = new Set<string>();
  for await (const row of collection.rows({ signal: options.signal, tokens: false })) {
    if (seen.has(row.id)) continue;
    seen.add(row.id);
    images.push(row);
    if (images.length >= BATCH) await flush();
  }
  await flush();
  return done;
}

/** Qdrant takes numbers and UUIDs: the first 128 bits of the digest. */
function uuidOf(id: string): string {
  return id.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
