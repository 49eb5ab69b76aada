/** Checks options that callers pass by name. A misspelt name is refused, with the nearest known name. */
import { IJepaError } from "./errors.js";
import { show, shorten } from "./show.js";

/** Fewest letters of a name that identify it. */
const MIN_PART = 4;

/** Types that are checked for every function alike. */
type Kind = "boolean" | "function" | "number" | "string" | "AbortSignal";

/**
 * Every name of `T`, so that a new option does not compile until its function lists it; with its type, or true if the function checks the
 * value itself.
 */
export type OptionNames<T> = { readonly [K in keyof T]-?: Kind | true };

/**
 * The options that were given. null counts as absent.
 *
 * @param names the known names
 * @param owner what takes the options, for messages: "pipeline", "the server"
 * @throws TypeError for a value that is not an object, and for options of a wrong type; IJepaError `input/value` for an unknown name
 */
export function readOptions<T extends object>(given: T | null | undefined, names: OptionNames<T>, owner: string): T {
  if (given === undefined || given === null) return {} as T;
  if (!isRecord(given)) throw wrongType(`The options of ${owner}`, "an object", given);
  checkNames(given, names, `${owner} has no option`);
  const named = (Object.keys(names) as (keyof T & string)[]).map((name) => [name, given[name]] as const);
  for (const [name, value] of named) if (names[name] !== true) checkType(name, value, names[name]);
  return Object.fromEntries(named.filter(([, value]) => value !== undefined && value !== null)) as T;
}

/** True for a plain object; false for a promise, a list, bytes or a map. */
export function isRecord(value: unknown): value is object {
  return Object.prototype.toString.call(value) === "[object Object]" && typeof value === "object";
}

/**
 * @param refusal how the message begins, before the name
 * @throws IJepaError `input/value` for a name that is not among `names`, unless its value is undefined
 */
export function checkNames(given: object, names: Readonly<Record<string, unknown>>, refusal: string): void {
  for (const name in given) {
    const value = (given as Record<string, unknown>)[name];
    if (!Object.hasOwn(names, name) && value !== undefined) throw unknownName(refusal, name, Object.keys(names), value);
  }
}

/** The error for a name that is not among `known`. */
export function unknownName(refusal: string, name: string, known: readonly string[], value?: unknown): IJepaError<"input/value"> {
  const message = `${refusal} ${JSON.stringify(shorten(name))}${didYouMean(name, known)}`;
  return new IJepaError("input/value", message, { name: shorten(name), value });
}

/** The end of a message about an unknown name: `; did you mean "pool"? The names are normalize, pool.` */
export function didYouMean(name: string, known: readonly string[]): string {
  const near = nearest(name, known), all = known.length === 0 ? "There is none." : `The names are ${[...known].sort().join(", ")}.`;
  return near === undefined ? `. ${all}` : `; did you mean ${JSON.stringify(near)}? ${all}`;
}

/** The known name that was probably meant; undefined if none is similar. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = plain(shorten(name));
  const likely = known.map((one) => ({ one, distance: distanceOf(wanted, plain(one)) })).sort((a, b) => a.distance - b.distance).at(0);
  return likely !== undefined && likely.distance <= Math.max(1, Math.floor(wanted.length / 3)) ? likely.one : undefined;
}

/** The error for a value of the wrong type; it says which type was given. */
export function wrongType(name: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${name} must be ${expected}, not ${show(value)}.`);
}

/** @throws TypeError unless the value is absent or of the type */
export function checkType(name: string, value: unknown, type: Kind): void {
  if (value === undefined || value === null) return;
  const fits = type === "AbortSignal" ? isSignal(value) : typeof value === type;
  if (!fits) throw wrongType(name, type === "boolean" ? "true or false" : type === "AbortSignal" ? "an AbortSignal" : `a ${type}`, value);
}

/** @throws TypeError unless the value is a list */
export function checkList(name: string, value: unknown, expected: string): void {
  if (!Array.isArray(value)) throw wrongType(name, expected, value);
}

/** @throws TypeError unless all of the values are numbers */
export function checkNumbers(name: string, ...values: readonly unknown[]): void {
  for (const value of values) if (typeof value !== "number") throw wrongType(name, "a number", value);
}

/** @throws TypeError unless the value is a string */
export function checkText(name: string, value: unknown, expected = "a string"): asserts value is string {
  if (typeof value !== "string") throw wrongType(name, expected, value);
}

/** @throws TypeError unless the value is an object or a function with all of the properties */
export function checkHas(name: string, value: unknown, expected: string, ...properties: readonly string[]): void {
  if (!((typeof value === "object" && value !== null) || typeof value === "function") || !properties.every((property) => property in value)) throw wrongType(name, expected, value);
}

/** @throws TypeError unless the value can be looped over, with or without waiting */
export function checkIterable(name: string, value: unknown, expected: string): void {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value || Symbol.asyncIterator in value)) throw wrongType(name, expected, value);
}

/** Of this or of another realm. */
function isSignal(value: unknown): boolean {
  return typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value;
}

/** The same letters, however the words are joined. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/** Number of letters to change, add, remove or swap; 1 if one name is part of the other. */
function distanceOf(a: string, b: string): number {
  if (a === b) return 0;
  if (a.length >= MIN_PART && b.length >= MIN_PART && (a.includes(b) || b.includes(a))) return 1;
  let before: number[] = [], last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2] + 1 : Infinity;
      row.push(Math.min(changed, swapped, last[j] + 1, row[j - 1] + 1));
    }
    [before, last] = [last, row];
  }
  return last[b.length];
}
