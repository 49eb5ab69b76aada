/** The interface of a cache of the Hub's files. */
import { IJepaError } from "../../core/errors.js";
import type { ByteSource } from "../../runtime/env.js";
import type { RemoteFile } from "./client.js";

/** The state of a file in a cache: its bytes; "absent" if the model has no such file; undefined if nothing is known. */
export type Cached = ByteSource | "absent" | undefined;

/** Called with the bytes of a file so far. */
export type Report = (loaded: number) => void;

/** The cached files of one model. */
export interface Store {
  /** The commit that a branch or tag was when it was last looked up. */
  commitOf(revision: string): Promise<string | undefined>;
  keepCommit(revision: string, commit: string): Promise<void>;
  open(commit: string, name: string): Promise<Cached>;
  /** Records that a model has no file of this name. */
  keepAbsence(commit: string, name: string): Promise<void>;
  /**
   * Fetches a file, checks its digest, keeps it and opens it.
   * @throws IJepaError `hub/corrupt` when it is wrong twice, `hub/missing`, `hub/access`, `io/read`, `io/write`, `aborted`
   */
  fetch(file: RemoteFile, report: Report, signal: AbortSignal | undefined): Promise<ByteSource>;
  /** Reads a cached file whole; undefined if there is none, or if its digest is unknown. */
  check?(commit: string, name: string): Promise<Check | undefined>;
  /** As `fetch`, even if the file is cached already. */
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
