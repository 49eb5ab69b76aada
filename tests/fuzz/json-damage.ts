/** JSON with one place of it changed, for headers, indexes and configurations. */
import type { Random } from "./random.js";

const NUMBERS = [0, 1, 2, 7, 8, 255, 256, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e308, -1, -0, 0.5, 1e-320];
const TEXTS = ["F32", "F16", "BF16", "U8", "I64", "F8_E4M3", "BOOL", "", "gelu", "../x", "toString", "__proto__", "\0", "\ud800", "x".repeat(5000)];
const KEYS = ["__proto__", "constructor", "toString", "hasOwnProperty", "length", "x"];
const ANYTHING: readonly unknown[] = [
  null, true, false, [], {}, [[]], [1, 2, 3], { a: 1 }, [-1, 2], [0, 0], ["1", "2"], { length: 3 }, ...NUMBERS, ...TEXTS,
];

export function damageJson(random: Random, value: unknown, depth = 0): unknown {
  if (depth > 0 && random.chance(0.15)) return random.pick(ANYTHING);
  if (Array.isArray(value)) return damageList(random, value as unknown[], depth);
  if (typeof value === "object" && value !== null) return damageObject(random, Object.entries(value), depth);
  if (typeof value === "number") return random.chance(0.6) ? random.pick(NUMBERS) : value + random.pick([1, -1, 0.5, 8]);
  if (typeof value === "string") return random.chance(0.5) ? random.pick(TEXTS) : value + random.pick(["x", "0"]);
  return random.pick(ANYTHING);
}

function damageList(random: Random, value: readonly unknown[], depth: number): unknown[] {
  const list = [...value], at = random.int(list.length + 1);
  list[at] = at < value.length ? damageJson(random, list[at], depth + 1) : random.pick(ANYTHING);
  return random.chance(0.1) ? list.slice(1) : list;
}

function damageObject(random: Random, entries: [string, unknown][], depth: number): unknown {
  if (entries.length === 0) return random.pick(ANYTHING);
  const at = random.int(entries.length), [name, value] = entries[at];
  const choice = random.int(8);
  if (choice === 0) entries.splice(at, 1);
  else if (choice === 1) entries.push([random.pick([...KEYS, `${name}x`, `ijepa.${name}`, `encoder.${name}`]), random.chance(0.5) ? value : random.pick(ANYTHING)]);
  else if (choice === 2) entries[at] = [random.pick(entries)[0], value];
  else entries[at] = [name, damageJson(random, value, depth + 1)];
  return Object.fromEntries(entries);
}

/** The text of it, at times cut, nested too deep, or with Python's numbers. */
export function jsonBytes(random: Random, value: unknown): Uint8Array {
  let text = JSON.stringify(value) ?? "";
  if (random.chance(0.02)) text = text.slice(0, random.int(text.length));
  if (random.chance(0.01)) text = "[".repeat(100_000);
  if (random.chance(0.05)) text = text.replace(/(?<=[:,[])\d+(?=[,}\]])/, random.pick(["NaN", "-Infinity", "Infinity"]));
  if (random.chance(0.1)) text = random.pick([" ", "\n\t"]) + text + " ".repeat(random.int(9));
  return new TextEncoder().encode(text);
}
