/** A process that fills the cache: argv is the name of a file; its SHA-256 is printed. The environment says where the Hub is. */
import { sha256 } from "../../support/sha256.js";
import { openHubFolder } from "../../../ts-api/src/weights/hub/folder.js";
import { FAST, readWhole, REPO } from "./helpers.js";

const folder = await openHubFolder(REPO, {}, { pace: { ...FAST, partsAtOnce: 1 } });
const source = await folder.open(process.argv[2]);
process.stdout.write(source === undefined ? "absent" : sha256(await readWhole(source)));
