/** From the query of a URL to options. */
import { IJepaError } from "../core/errors.js";
import { unknownName } from "../core/options.js";

/**
 * @param names options of the path; others are refused
 * @throws IJepaError `input/value` for an unknown option, and for one that is given twice
 */
export function readQuery<T extends string>({ pathname, searchParams }: URL, names: readonly T[]): { readonly [K in T]?: string } {
  for (const [name, value] of searchParams) {
    if (!names.includes(name as T)) throw unknownName(`The query of ${pathname} has no option`, name, names, value);
    if (searchParams.getAll(name).length > 1) throw new IJepaError("input/value", `${name} is given more than once.`, { name, value: searchParams.getAll(name) });
  }
  return Object.fromEntries(searchParams) as { [K in T]?: string };
}
