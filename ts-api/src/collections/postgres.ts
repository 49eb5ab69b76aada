/** PostgreSQL through the package postgres, which the user installs. */
import { checkText } from "../core/options.js";
import { IJepaError } from "../core/errors.js";
import type { SqlClient } from "./export-databases.js";

/** The part of the package that is used. */
type Postgres = (url: string, options: object) => { unsafe(sql: string, parameters?: unknown[]): Promise<unknown>; end(): Promise<void> };

/**
 * Connects to PostgreSQL, for `exportSql`.
 *
 * @param url postgres://user:password@host/database
 * @throws IJepaError `input/value` for an invalid URL, `io/write` if the package is not installed; queries reject with it if the client cannot connect
 */
export async function openPostgres(url: string): Promise<SqlClient & {
  /** Closes the connection. */
  end(): Promise<void>;
}> {
  checkText("The address of the database", url);
  if (!URL.canParse(url)) throw new IJepaError("input/value", "The address of the database must be a URL: postgres://user:password@host/database.", { name: "url", value: undefined });
  const address = new URL(url);
  address.password = "";
  const name = "postgres", path = address.href;
  const module = (await import(name).catch((cause: unknown) => {
    throw new IJepaError("io/write", 'Exporting to PostgreSQL needs the package "postgres". Install it beside ijepa: npm install postgres.', { path }, { cause });
  })) as { default: Postgres };
  const sql = module.default(url, { max: 1, onnotice: () => undefined });
  return {
    async query(text, parameters = []) {
      try {
        return await sql.unsafe(text, [...parameters]);
      } catch (cause) {
        throw new IJepaError("io/write", `PostgreSQL at ${path} reported an error: ${cause instanceof Error ? cause.message : String(cause)}.`, { path }, { cause });
      }
    },
    end: () => sql.end(),
  };
}
