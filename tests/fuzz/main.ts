/** The program of `npm run fuzz` (scripts/fuzz.mjs): exits with 1 when something was found. */
import { parseArgs } from "node:util";
import { describe, fuzz } from "./frame.js";
import { PARTS } from "./parts.js";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string", default: "1" }, runs: { type: "string" } },
});

/** A whole number from 1 up, given as `--name`. */
function count(name: "seconds" | "seed" | "runs", text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1 up, not ${text}`);
  return value;
}

const unknown = positionals.filter((name) => !(name in PARTS));
if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(", ")}; there is ${Object.keys(PARTS).join(", ")}`);
const runs = values.runs === undefined ? {} : { runs: count("runs", values.runs) };
const options = { seconds: count("seconds", values.seconds), seed: count("seed", values.seed), ...runs };
for (const name of positionals.length > 0 ? positionals : Object.keys(PARTS)) {
  const report = await fuzz(name, PARTS[name], options);
  console.log(describe(name, report));
  if (report.faults.length > 0) process.exitCode = 1;
}
