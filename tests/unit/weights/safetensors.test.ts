/** Reading and writing safetensors: the reference's bytes, and hostile files. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { openSafetensors } from "../../../ts-api/src/weights/safetensors/reader.js";
import type { SafetensorsFile } from "../../../ts-api/src/weights/safetensors/reader.js";
import { serializeSafetensors } from "../../../ts-api/src/weights/safetensors/writer.js";
import type { TensorBytes } from "../../../ts-api/src/weights/safetensors/writer.js";
import { bytesSource, readRange } from "../../../ts-api/src/weights/sources/bytes.js";
import { f32, failure, GOLDENS, MODELS, rawSafetensors } from "./helpers.js";

function open(bytes: Uint8Array): Promise<SafetensorsFile> {
  return openSafetensors(bytesSource("file.safetensors", bytes));
}

test("every file of the goldens opens, and its tensors have the bytes of their shapes", async () => {
  let count = 0;
  for (const model of GOLDENS) {
    const names = await readdir(`${MODELS}/${model}`, { recursive: true });
    for (const name of names.filter((path) => path.endsWith(".safetensors"))) {
      const file = await open(await readFile(`${MODELS}/${model}/${name}`));
      for (const info of file.tensors.values()) {
        const size = info.dtype === "F32" || info.dtype === "I32" ? 4 : info.dtype === "I64" ? 8 : assert.fail(info.dtype);
        assert.equal((await file.readTensor(info)).length, size * info.shape.reduce((product, dim) => product * dim, 1));
        count++;
      }
    }
  }
  assert.ok(count > 400, `${count} tensors`);
});

test("what is written is read back, in the reference implementation's bytes", async () => {
  const tensors = new Map<string, TensorBytes>([
    ["b", f32([2], [1, -2])],
    ["bytes", { dtype: "U8", shape: [3], bytes: Uint8Array.of(1, 2, 3) }],
    ["a", f32([], [0.5])],
    ["half", { dtype: "BF16", shape: [1, 2], bytes: Uint8Array.of(0x80, 0x3f, 0, 0xc0) }],
    ["ids", { dtype: "I32", shape: [1], bytes: Uint8Array.of(7, 0, 0, 0) }],
    ["none", f32([0, 4], [])],
  ]);
  const bytes = serializeSafetensors(tensors, { format: "pt" });
  const header =
    '{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},' +
    '"none":{"dtype":"F32","shape":[0,4],"data_offsets":[12,12]},"ids":{"dtype":"I32","shape":[1],"data_offsets":[12,16]},' +
    '"half":{"dtype":"BF16","shape":[1,2],"data_offsets":[16,20]},"bytes":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}}';
  const length = Math.ceil(header.length / 8) * 8;
  assert.equal(new DataView(bytes.buffer).getBigUint64(0, true), BigInt(length));
  assert.equal(new TextDecoder().decode(bytes.subarray(8, 8 + length)), header.padEnd(length));

  const file = await open(bytes);
  assert.deepEqual(file.metadata, { format: "pt" });
  assert.equal(file.tensors.size, tensors.size);
  for (const [name, tensor] of tensors) {
    const info = file.tensors.get(name);
    assert.ok(info);
    assert.deepEqual([info.dtype, info.shape], [tensor.dtype, tensor.shape]);
    assert.deepEqual(await file.readTensor(info), tensor.bytes);
  }
});

test("an empty file of tensors is a file", async () => {
  assert.equal((await open(serializeSafetensors(new Map()))).tensors.size, 0);
});

test("names of all kinds survive", async () => {
  const names = ["__proto__", "1", "0", "é\u0000\"", "constructor"];
  const file = await open(serializeSafetensors(new Map(names.map((name, i) => [name, f32([1], [i])]))));
  for (const [i, name] of names.entries()) {
    const info = file.tensors.get(name);
    assert.ok(info, name);
    assert.equal(new Float32Array((await file.readTensor(info)).buffer)[0], i);
  }
});

test("the writer refuses what does not fit", async () => {
  const one = (name: string, tensor: TensorBytes) => () => serializeSafetensors(new Map([[name, tensor]]));
  await failure("input/shape", one("a", { dtype: "F32", shape: [2], bytes: new Uint8Array(4) }));
  await failure("input/value", one("a", { dtype: "F31" as never, shape: [1], bytes: new Uint8Array(4) }));
  await failure("input/value", one("a", { dtype: "F32", shape: [1.5, 2], bytes: new Uint8Array(12) }));
  await failure("input/value", one("__metadata__", f32([1], [1])));
});

const good = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
const second = (begin: number, end: number): object => ({ dtype: "F32", shape: [(end - begin) / 4], data_offsets: [begin, end] });

const goodLength = BigInt(JSON.stringify({ a: good }).length);

const HOSTILE: [what: string, bytes: Uint8Array][] = [
  ["empty", new Uint8Array(0)],
  ["seven bytes", new Uint8Array(7)],
  ["no header", new Uint8Array(8)],
  ["header longer than the file", rawSafetensors({ a: good }, 8, 1000n)],
  ["header over the limit", rawSafetensors({ a: good }, 8, 100_000_001n)],
  ["header length with a high word", rawSafetensors({ a: good }, 8, 2n ** 32n + goodLength)],
  ["header length of all ones", rawSafetensors({ a: good }, 8, 2n ** 64n - 1n)],
  ["header cut", rawSafetensors({ a: good }, 8, 10n)],
  ["header into the data", rawSafetensors({ a: good }, 8, 60n)],
  ["not JSON", rawSafetensors("{nonsense}", 0)],
  ["a byte order mark before the brace", rawSafetensors("\ufeff{}", 0)],
  ["NaN, which only Python's JSON has", rawSafetensors('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":NaN}}', 8)],
  ["an array", rawSafetensors([good], 8)],
  ["a number", rawSafetensors(3, 0)],
  ["null", rawSafetensors(null, 0)],
  ["not UTF-8", rawSafetensors("{}", 0).map((byte, i) => (i === 9 ? 0xff : byte))],
  ["deeply nested", rawSafetensors(`{"a":${"[".repeat(100000)}${"]".repeat(100000)}}`, 0)],
  ["entry null", rawSafetensors({ a: null }, 0)],
  ["entry an array", rawSafetensors({ a: [good] }, 8)],
  ["metadata of numbers", rawSafetensors({ __metadata__: { a: 1 }, a: good }, 8)],
  ["metadata a list", rawSafetensors({ __metadata__: [], a: good }, 8)],
  ["no dtype", rawSafetensors({ a: { ...good, dtype: undefined } }, 8)],
  ["dtype in lower case", rawSafetensors({ a: { ...good, dtype: "f32" } }, 8)],
  ["dtype of the prototype", rawSafetensors({ a: { ...good, dtype: "toString" } }, 8)],
  ["dtype an object", rawSafetensors({ a: { ...good, dtype: { toString: 1 } } }, 8)],
  ["no shape", rawSafetensors({ a: { ...good, shape: undefined } }, 8)],
  ["shape a number", rawSafetensors({ a: { ...good, shape: 2 } }, 8)],
  ["shape negative", rawSafetensors({ a: { ...good, shape: [-2] } }, 8)],
  ["shape negative twice", rawSafetensors({ a: { ...good, shape: [-2, -1] } }, 8)],
  ["shape broken", rawSafetensors({ a: { ...good, shape: [1.5] } }, 8)],
  ["shape of text", rawSafetensors({ a: { ...good, shape: ["2"] } }, 8)],
  ["shape too large", rawSafetensors({ a: { ...good, shape: [1e15, 1e15, 1e15] } }, 8)],
  ["shape overflowing to infinity", rawSafetensors({ a: { ...good, shape: new Array(100).fill(2 ** 53 - 1) } }, 8)],
  ["shape of another size", rawSafetensors({ a: { ...good, shape: [3] } }, 8)],
  ["dtype of another size", rawSafetensors({ a: { ...good, dtype: "F64" } }, 8)],
  ["half bytes", rawSafetensors({ a: { dtype: "F4", shape: [3], data_offsets: [0, 1] } }, 1)],
  ["no offsets", rawSafetensors({ a: { ...good, data_offsets: undefined } }, 8)],
  ["one offset", rawSafetensors({ a: { ...good, data_offsets: [0] } }, 8)],
  ["three offsets", rawSafetensors({ a: { ...good, data_offsets: [0, 8, 8] } }, 8)],
  ["negative offset", rawSafetensors({ a: { ...good, data_offsets: [-8, 0] } }, 8)],
  ["offsets swapped", rawSafetensors({ a: { ...good, data_offsets: [8, 0] } }, 8)],
  ["broken offset", rawSafetensors({ a: { ...good, data_offsets: [0.5, 8.5] } }, 9)],
  ["offset over 2^53", rawSafetensors('{"a":{"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551616]}}', 8)],
  ["offset past the end", rawSafetensors({ a: { ...good, data_offsets: [8, 16] } }, 8)],
  ["offset far past the end", rawSafetensors({ a: { dtype: "U8", shape: [2 ** 40], data_offsets: [0, 2 ** 40] } }, 8)],
  ["data cut", rawSafetensors({ a: good }, 7)],
  ["data too long", rawSafetensors({ a: good }, 9)],
  ["data without tensors", rawSafetensors({}, 4)],
  ["hole at the start", rawSafetensors({ a: second(4, 12) }, 12)],
  ["hole between", rawSafetensors({ a: good, b: second(12, 16) }, 16)],
  ["overlap", rawSafetensors({ a: good, b: second(4, 12) }, 12)],
  ["same place twice", rawSafetensors({ a: good, b: good }, 8)],
];

test("hostile files are refused as weights/format, file and offset named", async () => {
  for (const [what, bytes] of HOSTILE) {
    const error = await failure("weights/format", () => open(bytes));
    assert.equal(error.details.file, "file.safetensors", what);
    assert.equal(typeof error.details.offset, "number", what);
    assert.ok(error.message.length < 500, what);
  }
});

test("blanks around the header, no metadata by name and unknown keys are read, as the reference reads them", async () => {
  const json = JSON.stringify({ __metadata__: null, a: { ...good, more: [[null]] } });
  for (const header of [json, ` ${json}`, `\n\t\r  ${json}  `]) {
    const file = await open(rawSafetensors(header, 8));
    assert.deepEqual([file.tensors.size, file.metadata, [...file.tensors.values()][0].shape], [1, {}, [2]]);
  }
});

test("headers that would take gigabytes to parse are refused by what they hold, before they are parsed", async () => {
  const huge: [header: string, problem: RegExp][] = [
    [`{"a":${"[".repeat(3e7)}${"]".repeat(3e7)}}`, /more than 128 arrays and objects are nested/],
    [`{"a":[${"{},".repeat(1e7)}{}]}`, /more than 4194304 values/],
    [`{"a":[${"0,".repeat(1e7)}0]}`, /more than 4194304 values/],
    [`{"a":["\\\"${"[".repeat(1e6)}"]}`, /tensor "a" is not described by an object/],
  ];
  for (const [header, problem] of huge) {
    const before = process.memoryUsage.rss();
    assert.match((await failure("weights/format", () => open(rawSafetensors(header, 0)))).message, problem);
    assert.ok(process.memoryUsage.rss() - before < 600e6, header.slice(0, 20));
  }
});

test("the tensor at fault is named, and what is wrong with it", async () => {
  const faults: [bytes: Uint8Array, message: RegExp][] = [
    [rawSafetensors({ fine: good, guilty: second(4, 12) }, 12), /"guilty" begins at byte \d+ and overlaps/],
    [rawSafetensors({ fine: good, guilty: second(12, 16) }, 16), /"guilty" begins at byte \d+ and leaves a gap/],
    [rawSafetensors({ fine: good, guilty: second(8, 16) }, 12), /"guilty" ends at byte \d+, .* download complete/],
    [rawSafetensors({ guilty: { ...good, data_offsets: [8, 0] } }, 8), /"guilty" ends at offset 0, before it begins at 8/],
    [rawSafetensors({ guilty: { ...good, dtype: "F31" } }, 8), /"guilty" has the unknown dtype "F31"/],
  ];
  for (const [bytes, message] of faults) assert.match((await failure("weights/format", () => open(bytes))).message, message);
});

test("a header over the limit is not read, though the file may have it", async () => {
  const source = { ...bytesSource("large", rawSafetensors({ a: good }, 8, 100_000_001n)), size: 2 ** 30 };
  assert.match((await failure("weights/format", () => openSafetensors(source))).message, /at most 100000000/);
});

test("a file spoiled anywhere opens or is refused, never anything else", async () => {
  const bytes = serializeSafetensors(new Map([["a", f32([3], [1, 2, 3])], ["b", f32([2, 2], [1, 2, 3, 4])]]), { format: "pt" });
  let state = 1;
  const random = (below: number): number => {
    state = Math.imul(state, 1664525) + 1013904223;
    return (state >>> 8) % below;
  };
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const spoiled = bytes.slice(0, round % 5 === 0 ? random(bytes.length) : bytes.length);
    for (let i = random(3); i >= 0 && spoiled.length > 0; i--) spoiled[random(spoiled.length)] = round % 2 === 0 ? random(256) : 0x30 + random(10);
    try {
      const file = await open(spoiled);
      for (const info of file.tensors.values()) await file.readTensor(info);
    } catch (error) {
      assert.ok(isIJepaError(error, "weights/format"), String(error));
      refused++;
    }
  }
  assert.ok(refused > 1000 && refused < 3000, `${refused} refused`);
});

test("a tensor too large to be read at once is refused before it is read", async () => {
  const size = 2 ** 31;
  const header = rawSafetensors({ a: { dtype: "U8", shape: [size], data_offsets: [0, size] } }, 0);
  const file = await openSafetensors({ ...bytesSource("large", header), size: header.length + size });
  const [info] = file.tensors.values();
  await failure("weights/format", () => file.readTensor(info));
});

test("sources that fail or lie give io/read, and an aborted signal gives aborted", async () => {
  const bytes = serializeSafetensors(new Map([["a", f32([2], [1, 2])]]));
  const source = bytesSource("s", bytes);
  await failure("io/read", () => openSafetensors({ ...source, read: () => Promise.reject(new RangeError("disk")) }));
  await failure("io/read", () => openSafetensors({ ...source, read: async () => new Uint8Array(3) }));
  await failure("io/read", () => readRange(source, 0, bytes.length + 1));
  await failure("io/read", () => readRange(source, -1, 1));
  await failure("aborted", () => openSafetensors(source, AbortSignal.abort()));
  const file = await openSafetensors(source);
  const [info] = file.tensors.values();
  await failure("aborted", () => file.readTensor(info, AbortSignal.abort()));
});

test("bytes in many pieces read as one", async () => {
  const whole = Uint8Array.from({ length: 40 }, (_, i) => i);
  const pieces = [0, 1, 1, 9, 30, 40].map((start, i, starts) => whole.subarray(start, starts[i + 1] ?? 40));
  const source = bytesSource("pieces", ...pieces);
  for (let offset = 0; offset <= 40; offset++) {
    for (let length = 0; offset + length <= 40; length++) {
      assert.deepEqual(await readRange(source, offset, length), whole.slice(offset, offset + length));
    }
  }
});
