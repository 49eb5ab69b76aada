/** The README's first command: builds, embeds two photos with the model in the repository, compares them. */
import { run } from "./run.mjs";

const PHOTOS = ["examples/photos/chelsea.png", "examples/photos/rocket.jpg"];

run(process.execPath, ["scripts/build.mjs"]);
for (const args of [["embed", ...PHOTOS], ["similarity", ...PHOTOS]]) {
  console.log(`\n$ ijepa ${args.join(" ")}`);
  run(process.execPath, ["dist/cli.js", ...args]);
}
