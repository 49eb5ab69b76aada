/** Writes packed files (docs/weights-format.md), part by part: tensors at once, the headers at the end, when all digests are known. */
import { IJepaError } from "../ts-api/src/core/errors.js";
import { roundUp } from "../ts-api/src/core/numerics.js";
import { STORED_AS } from "../ts-api/src/loading/packed-checkpoint.js";
import type { FolderFile, FolderWriter } from "../ts-api/src/runtime/env.js";
import type { PackedBuffer } from "../ts-api/src/packing/pack.js";
import { listDigest, sha256, type TensorDigest } from "../ts-api/src/weights/safetensors/packed-files.js";

/** Where the data begins, so that every tensor's bytes are aligned in memory that holds the file. */
const ALIGN = 64;
/** Upper bound of the bytes of a header entry, for a tensor or the digest of a part. */
const TENSOR_ENTRY = 200, PART_ENTRY = 130;

/** One finished file. */
export interface WrittenFile {
  /** Name of the file. */
  readonly name: string;
  /** Size of the file. */
  readonly bytes: number;
  /** Names of its tensors, in order. */
  readonly tensors: readonly string[];
}

/** The most that a file will hold; room for its header is reserved accordingly. */
export interface FileBounds {
  tensors: number;
  parts: number;
  /** Bytes of `__metadata__` as JSON, without the parts' digests. */
  metadata: number;
}

interface OpenFile {
  name: string;
  writer: FolderFile;
  header: Record<string, { dtype: string; shape: readonly number[]; data_offsets: [number, number] }>;
  /** Digests of the parts that end in it. */
  parts: Map<string, string>;
  bytes: number;
}

export class PackedWriter {
  private readonly files: OpenFile[] = [];
  private readonly dataStart: number;

  /**
   * @param shardSize most bytes of a file; files are then named model-00001.safetensors and so on. Without it there is one
   *   model.safetensors
   */
  constructor(
    private readonly folder: FolderWriter,
    bounds: FileBounds,
    private readonly shardSize: number | undefined,
  ) {
    const { tensors, parts, metadata } = bounds;
    this.dataStart = roundUp(8 + metadata + tensors * TENSOR_ENTRY + parts * PART_ENTRY, ALIGN);
  }

  /**
   * Writes a part: into one file, or tensor by tensor into several if no file can hold it.
   * @throws IJepaError `input/value` when a tensor does not fit into a file of `shardSize`, `io/write`
   */
  async write(part: string, buffers: readonly PackedBuffer[]): Promise<void> {
    const size = buffers.reduce((sum, { bytes }) => sum + bytes.length, 0), digests: TensorDigest[] = [];
    if (!this.hasRoom(size) && this.fits(size)) await this.next();
    for (const { name, type, dims, bytes } of buffers) {
      if (!this.fits(bytes.length)) throw this.tooSmall(name, bytes.length);
      if (!this.hasRoom(bytes.length)) await this.next();
      const file = this.files.at(-1)!;
      await file.writer.write(bytes, this.dataStart + file.bytes);
      file.header[name] = { dtype: STORED_AS[type], shape: dims, data_offsets: [file.bytes, file.bytes + bytes.length] };
      file.bytes += bytes.length;
      digests.push({ name, digest: await sha256(bytes) });
    }
    this.files.at(-1)!.parts.set(part, await listDigest(digests));
  }

  /**
   * Writes the headers, and the index of shards.
   * @param metadata `__metadata__` of a file with these parts' digests
   */
  async finish(metadata: (parts: ReadonlyMap<string, string>) => Record<string, string>): Promise<WrittenFile[]> {
    for (const { writer, header, parts } of this.files) {
      const json = new TextEncoder().encode(JSON.stringify({ __metadata__: metadata(parts), ...header }));
      const head = new Uint8Array(this.dataStart).fill(0x20);
      new DataView(head.buffer).setBigUint64(0, BigInt(this.dataStart - 8), true);
      head.set(json, 8);
      await writer.write(head, 0);
      await writer.close();
    }
    const written = this.files.map(({ name, header, bytes }) => ({ name, bytes: this.dataStart + bytes, tensors: Object.keys(header) }));
    if (this.shardSize === undefined) return written;
    const index = {
      metadata: { total_size: this.files.reduce((sum, { bytes }) => sum + bytes, 0) },
      weight_map: Object.fromEntries(written.flatMap(({ name, tensors }) => tensors.map((tensor) => [tensor, name]))),
    };
    await writeWhole(this.folder, "model.safetensors.index.json", new TextEncoder().encode(`${JSON.stringify(index, null, 2)}\n`));
    return written;
  }

  private async next(): Promise<void> {
    const name = this.shardSize === undefined ? "model.safetensors" : `model-${String(this.files.length + 1).padStart(5, "0")}.safetensors`;
    this.files.push({ name, writer: await this.folder.createFile(name), header: {}, parts: new Map(), bytes: 0 });
  }

  private hasRoom(bytes: number): boolean {
    const file = this.files.at(-1);
    return file !== undefined && this.fits(file.bytes + bytes);
  }

  private fits(bytes: number): boolean {
    return this.dataStart + bytes <= (this.shardSize ?? Infinity);
  }

  private tooSmall(tensor: string, bytes: number): IJepaError<"input/value"> {
    const message = `A shard of ${this.shardSize} bytes cannot hold ${tensor}: with the header that takes ${this.dataStart + bytes}. Choose a larger shard size.`;
    return new IJepaError("input/value", message, { name: "shardSize", value: this.shardSize });
  }
}

export async function writeWhole(folder: FolderWriter, name: string, bytes: Uint8Array): Promise<void> {
  const file = await folder.createFile(name);
  await file.write(bytes, 0);
  await file.close();
}
