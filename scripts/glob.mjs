/** Files below a folder whose names end in a suffix, sorted. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

export function globSync(folder, suffix) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
