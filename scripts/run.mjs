/** Runs a command with the output on the terminal; a failure ends this process with the same code. */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export function run(command, args, options = {}) {
  const status = tryRun(command, args, options);
  if (status !== 0) process.exit(status);
}

/** The exit code; 127 if the command cannot be started. */
export function tryRun(command, args, { cwd = root, env = {}, quiet = false } = {}) {
  const shell = process.platform === "win32" && command === "npm";
  const result = spawnSync(command, args, { cwd, shell, stdio: quiet ? "ignore" : "inherit", env: { ...process.env, ...env } });
  return result.error ? 127 : (result.status ?? 1);
}
