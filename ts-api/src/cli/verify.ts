/** `ijepa verify`: a model in, a comparison of the bits of every variant of this machine out. */
import { verify as runVerification, type Difference, type VerifyReport, type VerifyRow } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import { SOURCE_OPTIONS, sourceOptions, type Command, type Settings } from "./args.js";
import { formatTable, printable } from "./text.js";

const SHORT_DIGEST = 16;
/** Exit code if bits differ. */
const DIFFERENT = 5;

export const verify: Command = {
  name: "verify",
  usage: "[options]",
  summary: "Run a model on every backend and kernel variant of this machine, and compare the bits of every operation",
  options: [...SOURCE_OPTIONS, "image", "dtype", "json", "help"],
  images: [0, 0],
  notes: [
    "Every variant is compared with the first. If one differs, the report names the first operation that differs, the position, both values and their distance. Without --image, the demo model's digests are also compared with those recorded in the package, which ties this machine to all others.",
    "Without --dtype every weight format is checked. Variants that this machine cannot run are listed as not run.",
    "The exit code is 0 if everything matches, otherwise 5.",
  ],
  run: runVerify,
};

async function runVerify(settings: Settings, host: CliHost): Promise<number> {
  const { model, image, dtype, json } = settings;
  const report = await runVerification(model, {
    ...sourceOptions(settings),
    signal: host.signal,
    ...(image === undefined ? {} : { image }),
    ...(dtype === undefined ? {} : { dtypes: [dtype] }),
  });
  await host.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : toText(report));
  return report.same ? 0 : DIFFERENT;
}

function toText({ rows, absent, recorded, runtime, numerics, same }: VerifyReport): string {
  const cells = rows.map(({ variant, dtype, digest, same: rowSame }) => [dtype, variant, digest.slice(0, SHORT_DIGEST), rowSame ? "same" : "DIFFERENT"]);
  const lines = [`${runtime}, numeric contract ${numerics}`, "", ...formatTable([["dtype", "variant", "sha256", "bits"], ...cells], [])];
  const section = (title: string, texts: string[]) => texts.length > 0 && lines.push("", title, ...texts.map((text) => `  ${printable(text)}`));
  section("First differing ops:", rows.flatMap((row) => (row.difference === undefined ? [] : [describe(row, row.difference)])));
  section("Recorded digests:", recorded.map(({ dtype, expected, same: kept }) => `${dtype} ${expected.slice(0, SHORT_DIGEST)} ${kept ? "same" : "DIFFERENT"}`));
  section("Not run:", absent.map(({ name, reason }) => `${name}: ${reason}`));
  lines.push("", same ? "All the same." : "NOT the same.");
  return `${lines.join("\n")}\n`;
}

function describe({ variant, dtype }: VerifyRow, difference: Difference): string {
  const { part, op, buffer, coordinates, actual, expected, ulps, differing, total } = difference;
  const distance = ulps === undefined ? "" : `, ${ulps} ULP apart`;
  return (
    `${variant}, ${dtype}: ${part.replace(/^layer (\d+)$/, (_, layer) => `layer ${Number(layer) + 1}`)}, ${op}, ${buffer}[${coordinates.join(", ")}] is ${actual}, not ${expected}${distance}; ` +
    `${differing} of ${total} elements differ`
  );
}
