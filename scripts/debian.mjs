/** Installs programs that npm does not have, from Debian, if this is a Debian and the user may install. */
import { spawnSync } from "node:child_process";
import { tryRun } from "./run.mjs";

const env = { DEBIAN_FRONTEND: "noninteractive" };
const apt = (...args) => tryRun("apt-get", ["-qq", ...args], { env, quiet: true }) === 0;
let updated;

/** True if the program is installed. */
export function has(program) {
  return spawnSync("which", [program]).status === 0;
}

/** False if the packages could not be installed; prints that, and what it means for the tests. */
export function installDebian(...packages) {
  if (process.platform !== "linux" || process.getuid() !== 0) return false;
  updated ??= apt("update");
  if (updated && apt("install", "--yes", "--no-install-recommends", ...packages)) return true;
  console.error(`not installed: ${packages.join(", ")}; what needs them will be reported as not run.`);
  return false;
}

/** Downloads packages of another architecture into `folder`, without installing them; false where that fails. */
export function downloadDebian(architecture, packages, folder) {
  if (process.platform !== "linux" || process.getuid() !== 0) return false;
  const dpkg = (...args) => tryRun("dpkg", args, { quiet: true }) === 0;
  if (!dpkg("--add-architecture", architecture)) return false;
  try {
    const names = packages.map((name) => `${name}:${architecture}`);
    return apt("update") && tryRun("apt-get", ["-qq", "download", ...names], { env, quiet: true, cwd: folder }) === 0;
  } finally {
    dpkg("--remove-architecture", architecture);
  }
}
