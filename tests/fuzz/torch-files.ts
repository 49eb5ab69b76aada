/** Files of torch.save that describe a small encoder, or claim to. */
import { globalOf, pickle, Tuple, zip, type Pickled, type PickledTensor } from "../support/torch.js";
import { EDGES, mutate } from "./mutate.js";
import type { Random } from "./random.js";

const HIDDEN = 12, MLP = 20, LAYERS = 2, PATCHES = 4, PATCH = 2, CHANNELS = 3;

const BLOCK: Record<string, number[]> = {
  "norm1.weight": [HIDDEN], "norm1.bias": [HIDDEN], "norm2.weight": [HIDDEN], "norm2.bias": [HIDDEN],
  "attn.qkv.weight": [3 * HIDDEN, HIDDEN], "attn.qkv.bias": [3 * HIDDEN], "attn.proj.weight": [HIDDEN, HIDDEN], "attn.proj.bias": [HIDDEN],
  "mlp.fc1.weight": [MLP, HIDDEN], "mlp.fc1.bias": [MLP], "mlp.fc2.weight": [HIDDEN, MLP], "mlp.fc2.bias": [HIDDEN],
};
const SHAPES: Record<string, number[]> = {
  pos_embed: [1, PATCHES, HIDDEN], "patch_embed.proj.weight": [HIDDEN, CHANNELS, PATCH, PATCH], "patch_embed.proj.bias": [HIDDEN],
  "norm.weight": [HIDDEN], "norm.bias": [HIDDEN],
};
for (let i = 0; i < LAYERS; i++) for (const [name, shape] of Object.entries(BLOCK)) SHAPES[`blocks.${i}.${name}`] = shape;

const GLOBALS: readonly (readonly [module: string, name: string])[] = [
  ["os", "system"], ["builtins", "eval"], ["torch", "load"], ["torch", "__proto__"], ["torch", "constructor"], ["", ""], ["collections", "OrderedDict"],
  ["torch._utils", "_rebuild_tensor_v2"], ["torch._utils", "_rebuild_parameter"], ["torch", "FloatStorage"], ["collections", "OrderedDict\0"],
];
/** Opcodes that the reader knows, with the bytes that follow each. */
const OPCODES: readonly (readonly [op: number, bytes: number])[] = [
  ...[..."N)](}tuaes0RQb."].map((op) => [op.charCodeAt(0), 0] as const),
  ...[0x85, 0x86, 0x87, 0x88, 0x89, 0x93, 0x94].map((op) => [op, 0] as const),
  ...[["K", 1], ["M", 2], ["J", 4], ["G", 8], ["q", 1], ["h", 1], ["r", 4], ["j", 4]].map(([op, bytes]) => [String(op).charCodeAt(0), Number(bytes)] as const),
];

/** A whole file, with something wrong in it more often than not. */
export function torchFile(random: Random): Uint8Array {
  const { entries, state } = encoder(random);
  const saved = new Map<string, Pickled>([["encoder", state], ["epoch", 3]]);
  let data = pickle(saved);
  const kind = random.int(4);
  if (kind === 0) data = random.chance(0.5) ? randomPickle(random) : mutate(random, data, [data]);
  const order = random.chance(0.2) ? { "a/byteorder": new TextEncoder().encode(random.pick(["little", "big", ""])) } : {};
  const victim = random.int(20), place = random.pick([8, 10, 20, 24, 28, 30, 32, 42]), value = random.pick(EDGES);
  let index = 0;
  const spoil = (_: string, view: DataView): void => {
    if (kind === 1 && index++ === victim) view.setUint32(Math.min(place, view.byteLength - 4), value, true);
  };
  const file = zip({ "a/data.pkl": data, ...entries, ...order }, { zip64: random.chance(0.3), spoil });
  return kind === 2 ? mutate(random, file, [file]) : file;
}

function encoder(random: Random): { entries: Record<string, Uint8Array>; state: Map<string, Pickled> } {
  const entries: Record<string, Uint8Array> = {}, state = new Map<string, Pickled>(), names = Object.keys(SHAPES);
  const odd = random.chance(0.6) ? random.pick(names) : undefined;
  for (const [key, name] of names.entries()) {
    const shape = SHAPES[name], count = shape.reduce((a, b) => a * b, 1);
    entries[`a/data/${key}`] = new Uint8Array(new Float32Array(count).fill(0.1).buffer);
    const tensor: PickledTensor = { key: String(key), storage: "FloatStorage", count, shape };
    if (name === odd) oddTensor(random, tensor);
    state.set(name === odd && random.chance(0.1) ? `module.${name}x` : name, name === odd && random.chance(0.1) ? random.pick<Pickled>([null, 5, "x", [], new Tuple([1, 2])]) : tensor);
  }
  return { entries, state };
}

function oddTensor(random: Random, tensor: PickledTensor): void {
  const { count, shape } = tensor;
  const changes: Partial<PickledTensor>[] = [
    { offset: random.pick([-1, 1, count, 2 ** 31, 2 ** 53, 0.5]) },
    { shape: random.pick([[count], [], [0], [count, 1], [2 ** 20, 2 ** 20, 2 ** 20], [-1, count], [2 ** 53], shape.slice(1), [...shape, 1], [1.5, 2], new Array<number>(70).fill(1)]) },
    { strides: random.pick([[0], shape.map(() => 0), shape.map(() => -1), shape.map(() => 2 ** 31), []]) },
    { count: random.pick([0, -1, count + 1, count * 2, 2 ** 53, 0.25]) },
    { storage: random.pick(["DoubleStorage", "HalfStorage", "ByteStorage", "__proto__", "constructor", "UntypedStorage", "load", "LongStorage"]) },
    { key: random.pick(["0", "999", "../data.pkl", "__proto__", "", "a/b"]) },
  ];
  Object.assign(tensor, random.pick(changes));
}

function randomPickle(random: Random): Uint8Array {
  const bytes = [0x80, random.pick([0, 2, 3, 4, 5, 255])];
  for (let i = random.int(60); i >= 0; i--) {
    if (random.chance(0.15)) {
      const [module, name] = random.pick(GLOBALS);
      bytes.push(...globalOf(module, name));
      continue;
    }
    const [op, length] = random.pick(OPCODES);
    bytes.push(op, ...Array.from({ length }, () => (random.chance(0.7) ? random.int(4) : random.int(256))));
  }
  return Uint8Array.from(bytes);
}
