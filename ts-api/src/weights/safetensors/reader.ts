/** From a safetensors file to the names, types, shapes and bytes of its tensors. */
import { IJepaError, isIJepaError } from "../../core/errors.js";
import type { ByteSource } from "../../runtime/env.js";
import { DTYPE_BITS, isSafetensorsDtype, type SafetensorsDtype } from "../dtypes.js";
import { formatOf, HEAD_BYTES, describeText, describeWrongFile } from "../wrong-file.js";
import { parseJson } from "../../core/json.js";
import { messageOf } from "../../core/show.js";
import { readRange } from "../sources/bytes.js";

/** One tensor of a file; its bytes are `begin` to `end` (exclusive), counted from the start of the file. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsFile {
  /** Path or URL, for messages. */
  readonly name: string;
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
  /** The tensor's bytes as stored: little-endian, row-major. Nothing is kept. */
  readTensor(info: TensorInfo, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  /** Bytes `begin` to `end` (exclusive), counted from the start of the file. Nothing is kept. */
  readBytes(begin: number, end: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The longest header the reference implementation accepts. */
const MAX_HEADER = 100_000_000;
/** The largest tensor that is read in one piece: 2 GiB less one byte, the most that every runtime reads at once. */
const MAX_TENSOR = 2 ** 31 - 1;

/**
 * Reads the header of a safetensors file and checks all of it, at least as strictly as the reference implementation: known dtypes,
 * sizes that match, tensors that follow each other without gap or overlap and end where the file ends.
 * @throws IJepaError `weights/format`, `io/read`, `aborted`. The source stays open on failure.
 */
export async function openSafetensors(source: ByteSource, signal?: AbortSignal): Promise<SafetensorsFile> {
  const headerLength = await readHeaderLength(source, signal);
  const header = parseHeader(await readRange(source, 8, headerLength, signal), source.name);
  const dataStart = 8 + headerLength;
  let metadata: Readonly<Record<string, string>> = {};
  const infos: TensorInfo[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") metadata = readMetadata(entry, source.name);
    else infos.push(readInfo(name, entry, dataStart, source.name));
  }
  infos.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(infos, dataStart, source);
  return {
    name: source.name,
    tensors: new Map(infos.map((info) => [info.name, info])),
    metadata,
    async readTensor(info, readSignal, into) {
      const length = info.end - info.begin;
      if (length > MAX_TENSOR) {
        throw malformed(source.name, `tensor ${quote(info.name)} has ${length} bytes, more than can be read at once`, info.begin);
      }
      return readRange(source, info.begin, length, readSignal, into);
    },
    readBytes: (begin, end, readSignal, into) => readRange(source, begin, end - begin, readSignal, into),
    close: () => source.close(),
  };
}

async function readHeaderLength(source: ByteSource, signal: AbortSignal | undefined): Promise<number> {
  if (source.size < 8) throw malformed(source.name, `it has ${source.size} bytes, too few for a header`, 0);
  const bytes = await readRange(source, 0, 8, signal);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > MAX_HEADER) {
    const problem = (await whatItIs(source, signal)) ?? `its header claims ${length} bytes; at most ${MAX_HEADER} are allowed`;
    throw malformed(source.name, problem, 0);
  }
  if (Number(length) > source.size - 8) {
    const problem = (await whatItIs(source, signal)) ?? `its header claims ${length} bytes, but only ${source.size - 8} follow (is the download complete?)`;
    throw malformed(source.name, problem, 0);
  }
  return Number(length);
}

/** What another kind of file is, if it is recognised. */
async function whatItIs(source: ByteSource, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    const head = await readRange(source, 0, Math.min(HEAD_BYTES, source.size), signal), format = formatOf(head);
    return describeWrongFile(head) ?? (format === undefined ? describeText(head) : `it is ${format}`);
  } catch (error) {
    if (isIJepaError(error, "aborted")) throw error;
    return undefined;
  }
}

function parseHeader(bytes: Uint8Array, file: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = parseJson(bytes);
  } catch (cause) {
    throw malformed(file, `its header is not JSON (${messageOf(cause)})`, 8, cause);
  }
  if (!isObject(header)) throw malformed(file, "its header is not a JSON object", 8);
  return header;
}

function readMetadata(entry: unknown, file: string): Readonly<Record<string, string>> {
  if (entry === null) return {};
  if (!isObject(entry) || !Object.values(entry).every((value) => typeof value === "string")) {
    throw malformed(file, "its __metadata__ is not an object of strings", 8);
  }
  return entry as Record<string, string>;
}

function readInfo(name: string, entry: unknown, dataStart: number, file: string): TensorInfo {
  const fail = (problem: string): never => {
    throw malformed(file, `tensor ${quote(name)} ${problem}`, 8);
  };
  if (!isObject(entry)) return fail("is not described by an object");
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isSafetensorsDtype(dtype)) return fail(`has the unknown dtype ${typeof dtype === "string" ? quote(dtype) : typeof dtype}`);
  if (!isWholeNumbers(shape)) return fail("has a shape that is not a list of whole numbers");
  if (!isWholeNumbers(offsets) || offsets.length !== 2) return fail("has data_offsets that are not two whole numbers");
  const [begin, end] = offsets;
  if (end < begin) return fail(`ends at offset ${end}, before it begins at ${begin}`);
  const bits = shape.reduce((product, dim) => product * dim, DTYPE_BITS[dtype]);
  if (bits !== (end - begin) * 8) {
    const short = shape.slice(0, 8).join(", ");
    return fail(`has ${end - begin} bytes at offset ${begin}, but ${dtype} of shape [${short}] takes ${bits / 8}`);
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/** `infos` sorted by position. */
function checkLayout(infos: readonly TensorInfo[], dataStart: number, source: ByteSource): void {
  let reached = dataStart;
  for (const { name, begin, end } of infos) {
    if (end > source.size) {
      const problem = `tensor ${quote(name)} ends at byte ${end}, but the file at ${source.size} (is the download complete?)`;
      throw malformed(source.name, problem, begin);
    }
    if (begin !== reached) {
      const problem = begin < reached ? `overlaps the tensor before it, which ends at ${reached}` : `leaves a gap after byte ${reached}`;
      throw malformed(source.name, `tensor ${quote(name)} begins at byte ${begin} and ${problem}`, begin);
    }
    reached = end;
  }
  if (reached !== source.size) throw malformed(source.name, `its tensors end at byte ${reached}, but the file at ${source.size}`, reached);
}

function malformed(file: string, problem: string, offset: number, cause?: unknown): IJepaError<"weights/format"> {
  return new IJepaError("weights/format", `${file} is not a valid safetensors file: ${problem}.`, { file, offset }, { cause });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** Names come from the file: shown short and escaped. */
function quote(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name);
}
