/** A value as it may stand in a message: short, and never failing, whatever a file held. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value !== "object" || value === null) return String(value);
  if (!Array.isArray(value)) return "an object";
  const short = value.length <= 4 && value.every((item) => typeof item !== "object");
  return short ? `[${value.map(show).join(", ")}]` : `an array of ${value.length}`;
}
