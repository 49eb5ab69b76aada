/** Draws docs/pictures/rooms.svg of the table in tests/repo/rooms.ts; needs `npm run build` first. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./run.mjs";

const { drawMap } = await import("../build/tests/repo/map.js");
const { MAY_IMPORT } = await import("../build/tests/repo/rooms.js");
writeFileSync(join(root, "docs/pictures/rooms.svg"), drawMap(MAY_IMPORT));
