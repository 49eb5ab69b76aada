/**
 * From a file of torch.save to the objects and tensors in it: a zip with a pickle (`data.pkl`) that describes tensors, and their storages
 * as entries `data/KEY`.
 */
import { IJepaError } from "../../core/errors.js";
import { show } from "../../core/show.js";
import { sizeOf } from "../../core/tensor.js";
import type { ByteSource } from "../../runtime/env.js";
import { DTYPE_BITS, type SafetensorsDtype } from "../dtypes.js";
import { formatOf, HEAD_BYTES, describeText, describeWrongFile, isSafetensors } from "../wrong-file.js";
import { readRange } from "../sources/bytes.js";
import { readPickle, type Host } from "./pickle.js";
import { isZip } from "./recognize.js";
import { broken, dataStart, readZipEntries, type ZipEntry } from "./zip.js";

/** A tensor as the pickle describes it: `size` elements of its storage from `offset` on, row-major. */
export class TorchTensor {
  constructor(
    readonly storage: TorchStorage,
    readonly offset: number,
    readonly shape: readonly number[],
  ) {}
}

/** An entry of the archive and what its elements are. */
export class TorchStorage {
  constructor(
    readonly entry: ZipEntry,
    readonly dtype: SafetensorsDtype,
    readonly count: number,
  ) {}
}

export interface TorchArchive {
  /** The saved object: Maps for dicts, arrays for lists and tuples, TorchTensor for tensors. */
  readonly value: unknown;
  /** Byte of the file at which each storage begins. */
  locate(storages: Iterable<TorchStorage>, signal?: AbortSignal): Promise<Map<TorchStorage, number>>;
}

/** Far more than any checkpoint needs: that of ViT-g/16, with its optimizer, describes some 3000 tensors. */
const MAX_PICKLE = 32 * 2 ** 20;
/** PyTorch's own limit. */
const MAX_DIMS = 64;
/** Local headers that are read at the same time. */
const AT_ONCE = 16;

const STORAGES: Readonly<Record<string, SafetensorsDtype>> = {
  DoubleStorage: "F64", FloatStorage: "F32", HalfStorage: "F16", BFloat16Storage: "BF16",
  LongStorage: "I64", IntStorage: "I32", ShortStorage: "I16", CharStorage: "I8", ByteStorage: "U8", BoolStorage: "BOOL",
};

/** The names that a checkpoint may ask for. They are compared, never imported: no code of the file ever runs. */
const DICT = "collections.OrderedDict", TENSOR = "torch._utils._rebuild_tensor_v2", PARAMETER = "torch._utils._rebuild_parameter";

class Global {
  constructor(readonly path: string) {}
}

/**
 * Reads the directory and the pickle of an archive; no storage.
 * @throws IJepaError `weights/format`, `weights/unsafe` for a pickle that would import or call anything else, `io/read`, `aborted`
 */
export async function openTorchArchive(source: ByteSource, signal?: AbortSignal): Promise<TorchArchive> {
  const head = await readRange(source, 0, Math.min(HEAD_BYTES, source.size), signal);
  if (!isZip(head)) throw broken(source, noZip(head));
  const entries = await readZipEntries(source, signal);
  const pickle = [...entries.values()].find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) throw broken(source, "it has no data.pkl");
  const root = pickle.name.slice(0, -"data.pkl".length);
  const read = async (entry: ZipEntry, most: number) => {
    if (entry.size > most) throw broken(source, `${entry.name} claims ${entry.size} bytes; at most ${most} are expected`, entry.header);
    return readRange(source, await dataStart(source, entry, signal), entry.size, signal);
  };
  if (entries.has(`${root}constants.pkl`)) throw broken(source, "it is a program of TorchScript; save the state dict of its model instead");
  const order = entries.get(`${root}byteorder`);
  if (order !== undefined && new TextDecoder().decode(await read(order, 16)) !== "little") throw broken(source, "its numbers are not little-endian");
  const value = readPickle(await read(pickle, MAX_PICKLE), hostOf(source, (key) => entries.get(`${root}data/${key}`)));
  return {
    value,
    async locate(storages, locateSignal) {
      const wanted = [...new Set(storages)], starts = new Map<TorchStorage, number>();
      for (let i = 0; i < wanted.length; i += AT_ONCE) {
        const some = wanted.slice(i, i + AT_ONCE);
        const found = await Promise.all(some.map(({ entry }) => dataStart(source, entry, locateSignal)));
        some.forEach((storage, j) => starts.set(storage, found[j]));
      }
      checkApart(source, starts);
      return starts;
    },
  };
}

/** Describes a file that torch.save has not written, and says what to do. */
function noZip(head: Uint8Array): string {
  const impostor = describeWrongFile(head), format = formatOf(head);
  if (impostor !== undefined) return impostor;
  if (isSafetensors(head)) return "it is a safetensors file; pass the folder that it is in, with config.json beside it";
  if (format?.startsWith("a pickle")) return "it is not a zip; save files from before PyTorch 1.6 again with a newer torch.save";
  return format === undefined ? (describeText(head) ?? "it is not a zip") : `it is ${format}; unpack or convert it first`;
}

function hostOf(source: ByteSource, entryOf: (key: string) => ZipEntry | undefined): Host {
  const storages = new Map<string, TorchStorage>();
  const refuse = (problem: string, offset?: number) => broken(source, `its pickle cannot be read: ${problem}`, offset);
  return {
    refuse,
    global(module, name) {
      const path = `${module}.${name}`;
      if ([DICT, TENSOR, PARAMETER].includes(path) || (module === "torch" && Object.hasOwn(STORAGES, name))) return new Global(path);
      if (/^torch\.(_utils\._rebuild_|(storage\.)?\w+Storage$)/.test(path)) {
        throw refuse(`it has tensors of ${path.slice(0, 100)}, such as quantized, sparse or complex ones; save the weights in f32, f16 or bf16`);
      }
      const message =
        `${source.name} asks for ${JSON.stringify(path.slice(0, 100))}, which is neither a tensor nor a dict. Such a file could run any code in Python, ` +
        "and is not read here. Save the state dict alone, or convert the checkpoint to safetensors.";
      throw new IJepaError("weights/unsafe", message, { file: source.name, global: path });
    },
    call(callee, args) {
      const path = callee instanceof Global ? callee.path : undefined;
      if (!Array.isArray(args) || path === undefined) throw refuse("it calls something that is not a function");
      if (path === DICT) return orderedDict(args, refuse);
      if (path === TENSOR) return rebuildTensor(args, refuse);
      if (path === PARAMETER && args[0] instanceof TorchTensor) return args[0];
      throw refuse(`it calls ${path} in an unknown way`);
    },
    persistent(id) {
      const [kind, type, key, , count] = Array.isArray(id) ? (id as unknown[]) : [];
      const dtype = type instanceof Global ? STORAGES[type.path.slice("torch.".length)] : undefined;
      if (kind !== "storage" || dtype === undefined || typeof key !== "string" || !isCount(count)) throw refuse("it has a storage of an unknown kind");
      const known = storages.get(key), entry = entryOf(key);
      if (entry === undefined) throw refuse(`storage ${show(key)} is not in the archive`);
      if (entry.size !== (count * DTYPE_BITS[dtype]) / 8) throw refuse(`storage ${show(key)} has ${entry.size} bytes, not ${count} elements of ${dtype}`);
      if (known !== undefined && known.dtype !== dtype) throw refuse(`storage ${show(key)} has two types`);
      const storage = known ?? new TorchStorage(entry, dtype, count);
      storages.set(key, storage);
      return storage;
    },
    build(object) {
      // An OrderedDict's attributes, such as the versions of modules in `_metadata`.
      if (!(object instanceof Map)) throw refuse("it sets the state of something that is not a dict");
    },
  };
}

function orderedDict(args: readonly unknown[], refuse: (problem: string) => Error): Map<unknown, unknown> {
  const pairs = args[0] ?? [];
  if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2)) throw refuse("it makes a dict of something that is not pairs");
  return new Map(pairs as [unknown, unknown][]);
}

/** (storage, offset, shape, strides, ...): only tensors that lie in order and inside of their storage. */
function rebuildTensor([storage, offset, shape, strides]: readonly unknown[], refuse: (problem: string) => Error): TorchTensor {
  if (!(storage instanceof TorchStorage) || !isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length) {
    throw refuse("it has a tensor of an unknown kind");
  }
  const size = sizeOf(shape);
  const where = `a tensor of shape [${shape.slice(0, 8).join(", ")}] at element ${offset}`;
  if (offset + size > storage.count) throw refuse(`${where} reaches beyond its storage of ${storage.count}`);
  const inOrder = size === 0 || shape.every((dim, i) => dim === 1 || strides[i] === sizeOf(shape.slice(i + 1)));
  if (!inOrder) throw refuse(`${where} has the strides [${strides.slice(0, 8).join(", ")}]; only tensors that lie row by row can be read (save them .contiguous())`);
  return new TorchTensor(storage, offset, shape);
}

/** No byte may belong to two storages. */
function checkApart(source: ByteSource, starts: ReadonlyMap<TorchStorage, number>): void {
  const sorted = [...starts].sort(([, a], [, b]) => a - b);
  sorted.slice(1).forEach(([{ entry }, start], i) => {
    const [before, begin] = sorted[i];
    if (begin + before.entry.size > start) throw broken(source, `its entries ${show(before.entry.name)} and ${show(entry.name)} overlap`, start);
  });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MAX_DIMS && value.every(isCount);
}
