/** Reads and describes packed files: safetensors whose tensors are the buffers that backends take (docs/weights-format.md). */
import { runtime } from "#runtime";
import { IJepaError } from "../../core/errors.js";
import { DTYPES, GROUPS, NUMERICS_VERSION, sha256 as sha256OfWhole, type Dtype, type Group } from "../../core/numerics.js";
import { show } from "../../core/show.js";
import type { ReadBuffer } from "../../core/read-buffer.js";
import type { SafetensorsFile, TensorInfo } from "./reader.js";

/** Version of the files' layout. */
export const PACKED_FORMAT = "1";

const FORMAT = "ijepa.format", NUMERICS = "ijepa.numerics", DTYPE = "ijepa.dtype", GROUP = "ijepa.group_size", SOURCE = "ijepa.source_sha256", DIGEST = "ijepa.sha256.";
/** Where the original of packed files is, in words; their publisher may write it. */
export const ORIGINAL = "ijepa.original";
const IMAGES = "ijepa.calibration_images", IMAGES_DIGEST = "ijepa.calibration_sha256";

/** The images that int8 or int4 was calibrated with, instead of synthetic ones. */
export interface CalibrationInfo {
  /** How many images. */
  readonly images: number;
  /** `listDigest` of their files. */
  readonly digest: string;
}

/** The metadata of packed files. */
export interface PackedInfo {
  /** Format of the matrices. */
  readonly dtype: Dtype;
  /** int4: inputs of one scale. */
  readonly groupSize: Group | undefined;
  /** `listDigest` of the tensors that they were packed from. */
  readonly source: string;
  readonly calibration: CalibrationInfo | undefined;
}

/** Packed files, open. */
export interface PackedFiles extends PackedInfo {
  /** The bytes of a part's tensors, checked: see `readPart`. */
  part(part: string, signal?: AbortSignal, into?: ReadBuffer): Promise<ReadonlyMap<string, Uint8Array>>;
}

/** A tensor's name and the SHA-256, in hex, of its bytes. */
export interface TensorDigest {
  readonly name: string;
  readonly digest: string;
}

/** The part that a tensor is loaded with: embeddings.patch_embeddings, encoder.layer.0, layernorm, pooler ... */
export function partOf(name: string): string {
  return /^(?:encoder\.layer\.\d+|embeddings\.\w+|[^.]+)/.exec(name)?.[0] ?? name;
}

/** `__metadata__` of a packed file, with the digests of the parts that end in it. */
export function packedMetadata({ dtype, groupSize, source, calibration }: PackedInfo, parts: ReadonlyMap<string, string>): Record<string, string> {
  const group = groupSize === undefined ? {} : { [GROUP]: String(groupSize) };
  const images = calibration === undefined ? {} : { [IMAGES]: String(calibration.images), [IMAGES_DIGEST]: calibration.digest };
  const digests = [...parts].map(([part, digest]) => [DIGEST + part, digest] as const);
  return { [FORMAT]: PACKED_FORMAT, [NUMERICS]: NUMERICS_VERSION, [DTYPE]: dtype, ...group, [SOURCE]: source, ...images, ...Object.fromEntries(digests) };
}

/** True for metadata that this library writes: a converter keeps all others. */
export function isOwnMetadata(key: string): boolean {
  return [FORMAT, NUMERICS, DTYPE, GROUP, SOURCE, IMAGES, IMAGES_DIGEST].includes(key) || key.startsWith(DIGEST);
}

/**
 * The metadata of a checkpoint's files; undefined if they are not packed.
 * @throws IJepaError `weights/version` for a format or numeric contract that this library does not know, `weights/format` for
 *   metadata that cannot be, or files of different conversions
 */
export function readPackedInfo(files: readonly SafetensorsFile[]): PackedInfo | undefined {
  const [first] = files;
  if (first.metadata[FORMAT] === undefined) return undefined;
  for (const { name, metadata } of files) {
    checkVersion(name, "format", metadata[FORMAT], PACKED_FORMAT);
    checkVersion(name, "numeric contract", metadata[NUMERICS], NUMERICS_VERSION);
    const same = [DTYPE, GROUP, SOURCE, IMAGES, IMAGES_DIGEST].every((key) => metadata[key] === first.metadata[key]);
    if (!same) throw malformed(name, `it comes from another conversion than ${first.name}`);
  }
  const dtype = DTYPES.find((known) => known === first.metadata[DTYPE]), source = first.metadata[SOURCE];
  if (dtype === undefined) throw malformed(first.name, `its ${DTYPE} is ${show(first.metadata[DTYPE])}`);
  const groupSize = GROUPS.find((known) => String(known) === first.metadata[GROUP]);
  if (dtype === "int4" && groupSize === undefined) throw malformed(first.name, `its ${GROUP} is ${show(first.metadata[GROUP])}`);
  if (!/^[0-9a-f]{64}$/.test(source ?? "")) throw malformed(first.name, `its ${SOURCE} is not a SHA-256`);
  return { dtype, groupSize, source, calibration: readCalibration(first) };
}

function readCalibration({ name, metadata }: SafetensorsFile): CalibrationInfo | undefined {
  const images = metadata[IMAGES], digest = metadata[IMAGES_DIGEST];
  if (images === undefined && digest === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(images ?? "")) throw malformed(name, `its ${IMAGES} is ${show(images)}`);
  if (!/^[0-9a-f]{64}$/.test(digest ?? "")) throw malformed(name, `its ${IMAGES_DIGEST} is not a SHA-256`);
  return { images: Number(images), digest };
}

/**
 * Reads the tensors of a part and checks them against its digest: one request for each file that has some of them.
 * @param into memory for all of them
 * @returns bytes by name; they share memory
 * @throws IJepaError `weights/digest`, `weights/format` without a digest, `weights/missing` without tensors, `io/read`, `aborted`
 */
export async function readPart(files: readonly SafetensorsFile[], part: string, signal?: AbortSignal, into?: ReadBuffer): Promise<Map<string, Uint8Array>> {
  const runs = files.flatMap((file) => runsOf([...file.tensors.values()].filter(({ name }) => partOf(name) === part)).map((run) => ({ file, run })));
  const lengthOf = (run: readonly TensorInfo[]) => run.at(-1)!.end - run[0].begin;
  const memory = into?.take(runs.reduce((sum, { run }) => sum + lengthOf(run), 0)), bytes = new Map<string, Uint8Array>();
  let taken = 0;
  for (const { file, run } of runs) {
    const [{ begin }] = run, length = lengthOf(run);
    const all = await file.readBytes(begin, begin + length, signal, memory?.subarray(taken, taken + length));
    taken += length;
    for (const info of run) bytes.set(info.name, all.subarray(info.begin - begin, info.end - begin));
  }
  if (bytes.size === 0) throw new IJepaError("weights/missing", `${files[0].name} has no tensors of ${part}.`, { what: "part", names: [part] });
  const file = files.find(({ metadata }) => metadata[DIGEST + part] !== undefined);
  if (file === undefined) throw malformed(files[0].name, `it has no digest of ${part}`);
  const digests: TensorDigest[] = [];
  // One after the other: WebCrypto copies what it digests.
  for (const [name, data] of bytes) digests.push({ name, digest: await sha256(data) });
  if ((await listDigest(digests)) !== file.metadata[DIGEST + part]) {
    const message = `${part} in ${file.name} does not have the SHA-256 that is recorded with it: the file was damaged or changed. Fetch or convert it again.`;
    throw new IJepaError("weights/digest", message, { part, file: file.name });
  }
  return bytes;
}

/** SHA-256, in hex, of a text: for each tensor (or file), sorted by name, a line "SHA-256 of its bytes, two spaces, name", as sha256sum prints it. */
export async function listDigest(tensors: readonly TensorDigest[]): Promise<string> {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  return sha256(new TextEncoder().encode(sorted.map(({ name, digest }) => `${digest}  ${name}\n`).join("")));
}

/** SHA-256 in hex; by the host itself if possible, because WebCrypto copies the bytes. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const hasher = runtime.createHash?.("sha256");
  if (hasher === undefined) return sha256OfWhole(bytes);
  hasher.update(bytes);
  return hasher.hex();
}

/** Tensors that follow each other without a gap. */
function runsOf(tensors: readonly TensorInfo[]): TensorInfo[][] {
  const runs: TensorInfo[][] = [];
  for (const info of tensors) {
    if (runs.at(-1)?.at(-1)?.end === info.begin) runs.at(-1)!.push(info);
    else runs.push([info]);
  }
  return runs;
}

function checkVersion(file: string, what: string, version: string | undefined, known: string): void {
  if (version === known) return;
  const message =
    `${file} ${version === undefined ? "names no version" : `is packed for version ${show(version)}`} of the ${what}; this library knows ${known}. ` +
    "Convert the original checkpoint with this library, or use the one that wrote the file.";
  throw new IJepaError("weights/version", message, { file, what, version: version ?? "", known });
}

function malformed(file: string, problem: string): IJepaError<"weights/format"> {
  return new IJepaError("weights/format", `${file} is not a valid packed file: ${problem}.`, { file });
}
