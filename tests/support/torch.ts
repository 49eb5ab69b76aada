/** Writes what torch.save writes: pickles of dicts and tensors, in zips of stored entries. Tests spoil what they like. */

/** A tensor as a pickle describes it; by default row-major from the start of its storage. */
export interface PickledTensor {
  key: string;
  /** Such as "FloatStorage". */
  storage: string;
  /** Elements of the storage. */
  count: number;
  offset?: number;
  shape: readonly number[];
  strides?: readonly number[];
}

/** Bytes that go into the pickle as they are: what no checkpoint should have. */
export class Raw {
  constructor(readonly bytes: readonly number[]) {}
}

export class Tuple {
  constructor(readonly items: readonly Pickled[]) {}
}

export type Pickled = null | boolean | number | string | Raw | Tuple | PickledTensor | readonly Pickled[] | ReadonlyMap<string, Pickled>;

/** Protocol 2, as torch.save's default: Maps are OrderedDicts. */
export function pickle(value: Pickled): Uint8Array {
  const bytes = [0x80, 2];
  put(bytes, value);
  bytes.push(ascii("."));
  return Uint8Array.from(bytes);
}

/** `GLOBAL module name`, for a `Raw`. */
export function globalOf(module: string, name: string): number[] {
  return [ascii("c"), ...text(`${module}\n${name}\n`)];
}

function put(bytes: number[], value: Pickled): void {
  if (value === null) bytes.push(ascii("N"));
  else if (typeof value === "boolean") bytes.push(value ? 0x88 : 0x89);
  else if (typeof value === "string") bytes.push(ascii("X"), ...u32(text(value).length), ...text(value));
  else if (typeof value === "number") putNumber(bytes, value);
  else if (value instanceof Raw) bytes.push(...value.bytes);
  else if (value instanceof Tuple) putMarked(bytes, value.items, "t");
  else if (value instanceof Map) putDict(bytes, value as ReadonlyMap<string, Pickled>);
  else if (Array.isArray(value)) {
    bytes.push(ascii("]"));
    putMarked(bytes, value as readonly Pickled[], "e");
  } else putTensor(bytes, value as PickledTensor);
}

function putNumber(bytes: number[], value: number): void {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) bytes.push(ascii("J"), ...u32(value >>> 0));
  else if (Number.isInteger(value)) bytes.push(0x8a, 8, ...new Uint8Array(BigInt64Array.of(BigInt(value)).buffer));
  else bytes.push(ascii("G"), ...new Uint8Array(Float64Array.of(value).buffer).reverse());
}

function putMarked(bytes: number[], items: readonly Pickled[], end: string): void {
  bytes.push(ascii("("));
  for (const item of items) put(bytes, item);
  bytes.push(ascii(end));
}

function putDict(bytes: number[], dict: ReadonlyMap<string, Pickled>): void {
  bytes.push(...globalOf("collections", "OrderedDict"), ascii(")"), ascii("R"));
  putMarked(bytes, [...dict].flat(), "u");
}

function putTensor(bytes: number[], { key, storage, count, offset = 0, shape, strides = rowMajor(shape) }: PickledTensor): void {
  bytes.push(...globalOf("torch._utils", "_rebuild_tensor_v2"), ascii("("));
  put(bytes, new Tuple(["storage", new Raw(globalOf("torch", storage)), key, "cuda:0", count]));
  bytes.push(ascii("Q"));
  for (const item of [offset, new Tuple(shape), new Tuple(strides), false, new Map<string, Pickled>()]) put(bytes, item);
  bytes.push(ascii("t"), ascii("R"));
}

export function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
}

export interface ZipOptions {
  /** Sizes, offsets and counts in zip64 records, as for files beyond 4 GiB. */
  zip64?: boolean;
  /** Changes the finished fields of an entry's place in the directory. */
  spoil?: (name: string, central: DataView) => void;
}

/** A zip of stored entries; as torch does, data begins at multiples of 64. */
export function zip(entries: Readonly<Record<string, Uint8Array>>, { zip64 = false, spoil = () => {} }: ZipOptions = {}): Uint8Array {
  const parts: number[][] = [], central: number[][] = [];
  let at = 0;
  const push = (bytes: number[]) => {
    parts.push(bytes);
    at += bytes.length;
  };
  for (const [name, data] of Object.entries(entries)) {
    const named = text(name), padding = (64 - ((at + 30 + named.length + 4) % 64)) % 64, header = at;
    push([...u32(0x04034b50), ...Array<number>(22).fill(0), ...u16(named.length), ...u16(4 + padding), ...named, ...text("FB"), ...u16(padding), ...Array<number>(padding).fill(0x5a)]);
    push([...data]);
    const extra = zip64 ? [...u16(1), ...u16(24), ...u64(data.length), ...u64(data.length), ...u64(header)] : [];
    const [size, place] = zip64 ? [0xffffffff, 0xffffffff] : [data.length, header];
    const entry = [
      ...u32(0x02014b50), ...u16(0), ...u16(0), ...u16(0), ...u16(0), ...u32(0), ...u32(0), ...u32(size), ...u32(size),
      ...u16(named.length), ...u16(extra.length), ...u16(0), ...u16(0), ...u16(0), ...u32(0), ...u32(place), ...named, ...extra,
    ];
    const bytes = Uint8Array.from(entry);
    spoil(name, new DataView(bytes.buffer));
    central.push([...bytes]);
  }
  const start = at, directory = central.flat(), count = central.length;
  push(directory);
  if (zip64) {
    const record = at;
    push([...u32(0x06064b50), ...u64(44), ...u16(45), ...u16(45), ...u32(0), ...u32(0), ...u64(count), ...u64(count), ...u64(directory.length), ...u64(start)]);
    push([...u32(0x07064b50), ...u32(0), ...u64(record), ...u32(1)]);
  }
  const [entriesHere, size, place] = zip64 ? [0xffff, 0xffffffff, 0xffffffff] : [count, directory.length, start];
  push([...u32(0x06054b50), ...u16(0), ...u16(0), ...u16(entriesHere), ...u16(entriesHere), ...u32(size), ...u32(place), ...u16(0)]);
  const file = new Uint8Array(at);
  let offset = 0;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}

function text(value: string): number[] {
  return [...new TextEncoder().encode(value)];
}

function ascii(char: string): number {
  return char.charCodeAt(0);
}

function u16(value: number): number[] {
  return [value & 255, value >>> 8];
}

function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}

function u64(value: number): number[] {
  return [...u32(value >>> 0), ...u32(Math.floor(value / 2 ** 32))];
}
