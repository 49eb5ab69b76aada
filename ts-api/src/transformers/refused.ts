/** The error for what this library does not have. */
import { IJepaError } from "../core/errors.js";

/** The error for what is not there, with the reason. */
export function refused(name: string, value: unknown, message: string): IJepaError<"input/value"> {
  return new IJepaError("input/value", message, { name, value });
}
