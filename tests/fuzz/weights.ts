/** Damaged checkpoints of every kind: they open, or are refused by an error of the library; packed files never change a bit unseen. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isIJepaError } from "../../ts-api/src/core/errors.js";
import type { FuzzPart } from "./frame.js";
import { damageJson, jsonBytes } from "./json-damage.js";
import { flip, mutate } from "./mutate.js";
import type { Random } from "./random.js";
import { torchFile } from "./torch-files.js";
import { digestOf, openBases, sourceOf, type Base, type Bases, type Files } from "./weights-bases.js";

const INDEX = "model.safetensors.index.json";
/** What a message shows when a value is missing from it. */
const HOLES = /(?<!(?:dtype|not|is|of) )\bundefined\b|\[object /;
const MAX_MESSAGE = 4000;

interface Damaged {
  base: Base;
  files: Files;
  /** The configuration is another one: so may the parts be. */
  mayDiffer?: boolean;
}

export const weights: FuzzPart = {
  async open() {
    const bases = await openBases(), folder = await mkdtemp(join(tmpdir(), "ijepa-fuzz-"));
    return {
      async run(random) {
        if (random.chance(0.3)) {
          const file = join(folder, "jepa.pth.tar");
          await writeFile(file, torchFile(random));
          return outcomeOf(async () => void (await digestOf(file, { config: { numAttentionHeads: 3 } })));
        }
        const { base, files, mayDiffer } = damage(random, bases);
        return outcomeOf(async () => {
          const digest = await digestOf(sourceOf(files));
          if (base.digest !== undefined && !mayDiffer) assert.equal(digest, base.digest, `${base.name} opens with other bits`);
        });
      },
      close: () => rm(folder, { recursive: true }),
    };
  },
};

async function outcomeOf(work: () => Promise<void>): Promise<string> {
  try {
    await work();
    return "ok";
  } catch (error) {
    if (!isIJepaError(error)) throw error;
    assert.doesNotMatch(error.message, HOLES);
    assert.ok(error.message.length < MAX_MESSAGE, `a message of ${error.message.length} characters`);
    return error.code;
  }
}

function damage(random: Random, { plain, packed, bitsandbytes }: Bases): Damaged {
  const kind = random.int(6);
  const base = random.pick(kind === 0 ? [...plain, ...packed, ...bitsandbytes] : kind <= 2 ? packed : kind === 3 ? bitsandbytes : plain);
  const change = (name: string, bytes: Uint8Array): Damaged => ({ base, files: { ...base.files, [name]: bytes } });
  const weights = random.pick(Object.keys(base.files).filter((name) => name.endsWith(".safetensors"))), bytes = base.files[weights];
  if (kind === 0) {
    const name = random.pick(["config.json", "preprocessor_config.json", INDEX].filter((file) => file in base.files));
    return { ...change(name, jsonBytes(random, damageJson(random, JSON.parse(new TextDecoder().decode(base.files[name]))))), mayDiffer: true };
  }
  if (kind === 1) return change(weights, flip(random, bytes, 1 + random.int(3)));
  if (kind === 3 && random.chance(0.5)) return change(weights, damageState(random, bytes));
  return random.chance(0.5) ? change(weights, damageHeader(random, bytes)) : change(weights, mutate(random, bytes, [bytes]));
}

function headerOf(bytes: Uint8Array): { header: Record<string, { data_offsets: [number, number] }>; start: number } {
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return { header: JSON.parse(new TextDecoder().decode(bytes.subarray(8, start))) as ReturnType<typeof headerOf>["header"], start };
}

function damageHeader(random: Random, bytes: Uint8Array): Uint8Array {
  const { header, start } = headerOf(bytes), text = jsonBytes(random, damageJson(random, header));
  const length = new Uint8Array(BigUint64Array.of(BigInt(text.length)).buffer);
  return Uint8Array.from(Buffer.concat([length, text, bytes.subarray(start)]));
}

/** What belongs to the matrices of bitsandbytes, and says how they are to be read. */
function damageState(random: Random, bytes: Uint8Array): Uint8Array {
  const { header, start } = headerOf(bytes), damaged = bytes.slice();
  const names = Object.keys(header).filter((name) => /quant_state|absmax|quant_map/.test(name));
  const [begin, end] = header[random.pick(names)].data_offsets;
  for (let i = 0; i < 3; i++) damaged[start + begin + random.int(end - begin)] = random.chance(0.5) ? random.pick([...Buffer.from('0123456789"{}[],.-eE:')]) : random.u32();
  return damaged;
}
