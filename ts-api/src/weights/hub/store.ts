/** The interface of a cache of the Hub's files. */
import { IJepaError } from "../../core/errors.js";
import type { ByteSource } from "../../runtime/env.js";
import type { RemoteFile } from "./client.js";

/** What a cache knows of a file: its bytes; that the model has none of this name; undefined, nothing. */
export type Cached = ByteSource | "absent" | undefined;

/** Bytes of a file so far. */
export type Report = (loaded: number) => void;

/** Where the files of one model are kept. */
export interface Store {
  /** The commit that a branch or tag was when it was last looked up. */
  commitOf(revision: string): Promise<string | undefined>;
  keepCommit(revision: string, commit: string): Promise<void>;
  open(commit: string, name: string): Promise<Cached>;
  /** Keeps that a model has no file of this name. */
  keepAbsence(commit: string, name: string): Promise<void>;
  /**
   * Fetches a file, checks its digest, keeps it and opens it.
   * @throws IJepaError `hub/corrupt` when it is wrong twice, `hub/missing`, `hub/access`, `io/read`, `io/write`, `aborted`
   */
  fetch(file: RemoteFile, report: Report, signal: AbortSignal | undefined): Promise<ByteSource>;
  /** Reads a kept file whole; undefined where there is none, or where nothing tells what it should be. */
  check?(commit: string, name: string): Promise<Check | undefined>;
  /** As `fetch`, whatever is kept already. */
  replace?(file: RemoteFile, report: Report, signal: AbortSignal | undefined): Promise<ByteSource>;
}

/** A file of the cache beside what it should be. */
export interface Check {
  readonly path: string;
  /** Its digest, and the one that it was kept under. */
  readonly actual: string;
  readonly expected: string;
}

/** A file that came twice with another digest than the Hub says. */
export function corrupt({ url, digest }: RemoteFile, actual = ""): IJepaError<"hub/corrupt"> {
  const expected = digest?.hex ?? "";
  const message = `${url} arrived damaged twice: its digest is ${actual}, and the Hub says ${expected}. Nothing was kept. Try again later, or another network.`;
  return new IJepaError("hub/corrupt", message, { file: url, expected, actual });
}
