/** What collections hold, read by databases: DuckDB from the parts, PostgreSQL with pgvector and Qdrant from exports. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { Collection } from "../../ts-api/src/collections/collection.js";
import { exportQdrant, exportSql, type SqlClient } from "../../ts-api/src/collections/export-databases.js";
import { exportFile } from "../../ts-api/src/collections/export-file.js";
import { isIJepaError } from "../../ts-api/src/core/errors.js";
import { runtime } from "../../ts-api/src/runtime/node.js";
import { freePort } from "../support/free-port.js";
import { ENCODING, rows, temporaryFolder } from "../unit/collections/helpers.js";

const MODULES = resolve("tests/databases/node_modules");
const absent = existsSync(MODULES) ? false : `not run: no ${MODULES}`;
const load = async <T>(file: string) => (await import(pathToFileURL(join(MODULES, file)).href)) as T;

async function made(): Promise<{ folder: string; collection: Collection; given: Awaited<ReturnType<typeof rows>> }> {
  const folder = join(temporaryFolder(), "c"), collection = await Collection.openOrCreate(folder, ENCODING), given = await rows(50);
  await collection.add(given.slice(0, 30));
  await collection.add([...given.slice(30), { ...given[3], source: "it's a copy.jpg", label: "o'cat", modified: null }]);
  return { folder, collection, given };
}

const wordsOf = (feature: ArrayLike<number>) => Buffer.from(Float32Array.from(feature).buffer).toString("hex");

interface DuckDb {
  DuckDBInstance: { create(path: string): Promise<{ connect(): Promise<{ runAndReadAll(sql: string): Promise<{ getRowObjects(): Record<string, unknown>[] }> }> }> };
}

test("DuckDB reads the parts and an export, bit by bit", { skip: absent }, async () => {
  const { folder, collection, given } = await made(), { DuckDBInstance } = await load<DuckDb>("@duckdb/node-api/lib/index.js");
  const connection = await (await DuckDBInstance.create(":memory:")).connect(), single = join(folder, "..", "all.parquet");
  await runtime.writeFile(single, exportFile(collection, single));
  for (const file of [`${folder}/parts/*.parquet`, single]) {
    const found = (await connection.runAndReadAll(`SELECT *, epoch_ms(modified) AS ms FROM '${file}' WHERE id <> '' ORDER BY source`)).getRowObjects();
    assert.equal(found.length, 51);
    for (const { source, id, bytes, ms, width, digest, feature } of found as Record<string, never>[]) {
      const own = given.find((one) => one.id === id)!;
      assert.deepEqual([Number(bytes), width, digest], [own.bytes, own.width, own.digest]);
      assert.equal(ms === null ? null : Number(ms), source === "it's a copy.jpg" ? null : own.modified);
      assert.equal(wordsOf((feature as { items: number[] }).items), wordsOf(own.feature));
    }
  }
  const [{ n }] = (await connection.runAndReadAll(`SELECT count(*) AS n FROM (SELECT list_cosine_similarity(feature, feature) AS s FROM '${folder}/parts/*.parquet') WHERE s > 0.999`)).getRowObjects();
  assert.equal(Number(n), 51);
});

test("PostgreSQL with pgvector, over its socket: the same bits come back", { skip: absent }, async () => {
  const { collection, given } = await made();
  const { PGlite } = await load<{ PGlite: { create(options: object): Promise<{ close(): Promise<void> }> } }>("@electric-sql/pglite/dist/index.js");
  const { vector } = await load<{ vector: object }>("@electric-sql/pglite-pgvector/dist/index.js");
  const { PGLiteSocketServer } = await load<{ PGLiteSocketServer: new (options: object) => { start(): Promise<void>; stop(): Promise<void> } }>("@electric-sql/pglite-socket/dist/index.js");
  const { default: postgres } = await load<{ default: (url: string, options: object) => { unsafe(sql: string, parameters?: readonly unknown[]): Promise<Record<string, unknown>[]>; end(): Promise<void> } }>("postgres/src/index.js");
  const port = await freePort(), db = await PGlite.create({ extensions: { vector } }), server = new PGLiteSocketServer({ db, port, host: "127.0.0.1" });
  await server.start();
  const sql = postgres(`postgres://postgres@127.0.0.1:${port}/postgres`, { max: 1, onnotice: () => undefined });
  try {
    const client: SqlClient = { query: (text, parameters = []) => sql.unsafe(text, parameters) };
    for (let i = 0; i < 2; i++) assert.equal(await exportSql(collection, client), 51);
    const found = await sql.unsafe("SELECT source, id, bytes, label, digest, feature::real[] AS feature FROM ijepa_features ORDER BY source");
    assert.equal(found.length, 51);
    for (const { id, digest, feature } of found) {
      const own = given.find((one) => one.id === id)!;
      assert.equal(digest, own.digest);
      assert.equal(wordsOf(feature as number[]), wordsOf(own.feature));
    }
    assert.equal(found.find(({ source }) => source === "it's a copy.jpg")?.["label"], "o'cat");
    const nearest = await sql.unsafe("SELECT id FROM ijepa_features ORDER BY feature <=> $1::vector LIMIT 1", [`[${given[7].feature.join()}]`]);
    assert.equal(nearest[0]["id"], given[7].id);
    await assert.rejects(exportSql(collection, client, "x; DROP TABLE y"), (error) => isIJepaError(error, "input/value"));
  } finally {
    await sql.end();
    await server.stop();
    await db.close();
  }
});

test("Qdrant's REST interface gets every image once", async () => {
  const { collection, given } = await made(), points = new Map<string, { id: string; vector: number[]; payload: Record<string, unknown> }>(), seen: string[] = [];
  let exists = false, failing = false;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
      const body = chunks.length === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString()) as { points?: { id: string; vector: number[]; payload: Record<string, unknown> }[]; vectors?: object });
      seen.push(`${request.method} ${request.url} ${request.headers["api-key"] as string}`);
      if (request.method === "PUT" && request.url === "/collections/photos") {
        exists = true;
        assert.deepEqual(body?.vectors, { size: ENCODING.width, distance: "Cosine" });
      }
      for (const point of body?.points ?? []) points.set(point.id, point);
      response.statusCode = failing ? 507 : request.method === "GET" && !exists ? 404 : 200;
      response.end(JSON.stringify({ status: "ok" }));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/photos`;
  try {
    assert.equal(await exportQdrant(collection, url, { apiKey: "key" }), 50);
    assert.equal(points.size, 50);
    assert.ok(seen.every((line) => line.endsWith(" key")));
    for (const { id, vector, payload } of points.values()) {
      const own = given.find((one) => one.id === payload["id"])!;
      assert.equal(id.replaceAll("-", ""), own.id.slice(0, 32));
      assert.equal(wordsOf(vector), wordsOf(own.feature));
    }
    assert.ok([...points.values()].some(({ payload }) => (payload["sources"] as string[]).includes("it's a copy.jpg")));
    failing = true;
    await assert.rejects(exportQdrant(collection, url), (error) => isIJepaError(error, "io/write") && /507/.test(error.message));
  } finally {
    server.close();
  }
  await assert.rejects(exportQdrant(collection, url), (error) => isIJepaError(error, "io/write") && !/fetch failed/.test(error.message));
});
