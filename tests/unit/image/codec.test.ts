/** Instances of the codecs: reuse, failures, memory, messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Codec, CodecError, messageAt, type CodecExports } from "../../../ts-api/src/image/codec.js";
import { decodeImage } from "../../../ts-api/src/image/decode.js";
import { sha256 } from "../../support/sha256.js";
import { fails, readBytes } from "./helpers.js";

const file = readBytes("files/jpeg-420.jpg");
const instanceOf = (codec: Codec<CodecExports>) => codec.run(file, (instance) => instance);

test("an instance decodes one image after the other", async () => {
  const codec = new Codec("jpeg-decoder");
  assert.equal(await instanceOf(codec), await instanceOf(codec));
});

test("an instance that failed is never used again", async () => {
  const codec = new Codec("jpeg-decoder");
  const failures: ((instance: CodecExports, address: number) => void)[] = [
    // The codec's own error, a trap, and a fault of the caller.
    (instance, address) => instance.begin(address, instance.memory.buffer.byteLength),
    (instance) => instance.begin(-1 >>> 0, 100),
    () => {
      throw new RangeError("no");
    },
  ];
  for (const failure of failures) {
    const before = await instanceOf(codec);
    new Uint8Array(before.memory.buffer).subarray(0, 1024).fill(0);
    await assert.rejects(() => codec.run(new Uint8Array(4).fill(0x55), failure), CodecError);
    const after = await instanceOf(codec);
    assert.notEqual(after, before);
    assert.equal(await instanceOf(codec), after);
  }
});

test("an instance is not used twice at the same time", async () => {
  const codec = new Codec("jpeg-decoder");
  const [first, second] = await Promise.all([instanceOf(codec), instanceOf(codec)]);
  assert.notEqual(first, second);
});

test("an instance whose memory has grown large is given up", async () => {
  const codec = new Codec("webp-decoder");
  const large = await codec.run(file, (instance) => {
    assert.notEqual(instance.allocate(130 * 2 ** 20), 0);
    return instance;
  });
  assert.notEqual(await instanceOf(codec), large);
});

test("good files decode as ever after broken ones", async () => {
  for (const [name, from] of [["jpeg-420.jpg", 160], ["webp-lossless.webp", 26], ["webp-lossy.webp", 26]] as const) {
    const good = readBytes(`files/${name}`), pixels = sha256((await decodeImage(good)).data);
    await fails(() => decodeImage(good.slice().fill(0x17, from, from + 40)), "image/corrupt");
    assert.equal(sha256((await decodeImage(good)).data), pixels, name);
  }
});

test("a codec's messages have its values", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const put = (address: number, text: string) => new Uint8Array(memory.buffer).set(new TextEncoder().encode(`${text}\0`), address);
  const message = (template: string) => {
    put(0, template);
    return messageAt({ memory } as CodecExports, 0, 512);
  };
  new Int32Array(memory.buffer).set([-7, 10, 65], 128);
  assert.equal(message("%d of 0x%02x, %c, 100%"), "-7 of 0x0a, A, 100%");
  assert.equal(message("%3u|%ld"), "4294967289|10");
  put(512, "JFIF");
  assert.equal(message("marker %s"), "marker JFIF");
});
