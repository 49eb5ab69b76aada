/** From a field of a JSON file to its checked value. */
import { IJepaError } from "../core/errors.js";
import { didYouMean, isRecord, wrongType } from "../core/options.js";
import { show } from "../core/show.js";
import { ACTIVATION_NAMES, type ActivationName } from "../ops/activation.js";

/** Reads fields of a configuration: a missing one takes its default, a wrong one is refused with `config/field`. */
export class FieldReader<F extends string> {
  readonly #fields: Partial<Record<F, unknown>>;
  readonly #jsonNames: Readonly<Record<F, string>>;

  /** @param jsonNames the names that fields have in config.json, used in errors */
  constructor(fields: Partial<Record<F, unknown>>, jsonNames: Readonly<Record<F, string>>) {
    if (!isRecord(fields)) throw wrongType("A configuration", "made of an object of fields", fields);
    const names = Object.keys(jsonNames), unknown = Object.keys(fields).find((name) => !names.includes(name));
    if (unknown !== undefined) throw fieldError(unknown, (fields as Record<string, unknown>)[unknown], `A configuration has no field ${show(unknown)}${didYouMean(unknown, names)}`);
    this.#fields = fields;
    this.#jsonNames = jsonNames;
  }

  whole(field: F, fallback: number, min: number, max: number): number {
    const value = this.#get(field, fallback);
    return isWhole(value, min, max) ? value : this.#fail(field, `a whole number from ${min} to ${max}`);
  }

  real(field: F, fallback: number, min: number, max: number): number {
    const value = this.#get(field, fallback);
    return typeof value === "number" && value >= min && value <= max ? value : this.#fail(field, `a number from ${min} to ${max}`);
  }

  boolean(field: F, fallback: boolean): boolean {
    const value = this.#get(field, fallback);
    return typeof value === "boolean" ? value : this.#fail(field, "true or false");
  }

  activation(field: F, fallback: ActivationName): ActivationName {
    const value = this.#get(field, fallback);
    const name = ACTIVATION_NAMES.find((known) => known === value);
    return name ?? this.#fail(field, `one of ${ACTIVATION_NAMES.join(", ")}`);
  }

  /** Pixels: one number, or [height, width]. */
  size(field: F, fallback: number, max: number): number | readonly [height: number, width: number] {
    const value = this.#get(field, fallback);
    if (isWhole(value, 1, max)) return value;
    if (Array.isArray(value) && value.length === 2 && value.every((side) => isWhole(side, 1, max))) return [value[0], value[1]];
    return this.#fail(field, `a whole number from 1 to ${max}, or [height, width] of such numbers`);
  }

  #get(field: F, fallback: unknown): unknown {
    return this.#fields[field] ?? fallback;
  }

  #fail(field: F, rule: string): never {
    const value = this.#fields[field];
    throw fieldError(this.#jsonNames[field], value, `${this.#jsonNames[field]} must be ${rule}, not ${show(value)}.`);
  }
}

/** Number of classes of a classification head, as Hugging Face counts them: the entries of `id2label`, else `num_labels`, else 2. */
export function readNumLabels(json: Readonly<Record<string, unknown>>): number {
  const labels = json["id2label"] ?? undefined;
  if (labels !== undefined) {
    if (typeof labels === "object" && !Array.isArray(labels)) return Object.keys(labels).length;
    throw fieldError("id2label", labels, `id2label must be an object of class names, not ${show(labels)}.`);
  }
  const count = json["num_labels"] ?? 2;
  const max = 2 ** 20;
  if (isWhole(count, 0, max)) return count;
  throw fieldError("num_labels", count, `num_labels must be a whole number from 0 to ${max}, not ${show(count)}.`);
}

export function fieldError(field: string, value: unknown, message: string): IJepaError<"config/field"> {
  return new IJepaError("config/field", message, { field, value });
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
