/** Prints the digest of the heads that this runtime fits. */
import { readdirSync, readFileSync } from "node:fs";
import { HEAD_FOLDER, headDigest } from "./heads.js";

console.log(await headDigest(readdirSync(HEAD_FOLDER).sort().map((name) => new Uint8Array(readFileSync(`${HEAD_FOLDER}/${name}`)))));
