/** From any value to a short text for a message. */

/** Most characters of a text in a message. */
const MAX_TEXT = 60;

/** A value as text for a message: short, and never throws, whatever the value is. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(shorten(value));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (!Array.isArray(value)) return withArticle(kindOf(value));
  const short = value.length <= 4 && value.every((item) => typeof item !== "object");
  return short ? `[${value.map(show).join(", ")}]` : `an array of ${value.length}`;
}

/** The beginning of a text that may be very long. */
export function shorten(text: string, most = MAX_TEXT): string {
  return text.length <= most ? text : `${text.slice(0, most)}...`;
}

/** The message of whatever was thrown: an IJepaError's own, anything else for the middle of a sentence, as text without its full stop. */
export function messageOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return thrown instanceof Error && thrown.name === "IJepaError" ? message : message.replace(/\.$/, "");
}

/** The name of an object's class; "object" if it has none. */
function kindOf(value: object): string {
  try {
    const { constructor } = Object.getPrototypeOf(value) as { constructor?: unknown };
    const name = typeof constructor === "function" && constructor !== Object ? constructor.name : "";
    return /^\w{1,40}$/.test(name) ? name : "object";
  } catch {
    return "object";
  }
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/i.test(noun) && !/^(uint|url)/i.test(noun) ? "an" : "a"} ${noun}`;
}
