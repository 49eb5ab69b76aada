/**
 * WebGPU for the tests: Dawn for Node, and on Linux the SwiftShader that @sparticuz/chromium carries, so that no GPU is needed.
 * IJEPA_WEBGPU=hardware leaves the choice of the driver to the machine.
 */
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, tryRun } from "./run.mjs";
import { installBench } from "./setup.mjs";

const bench = join(root, "tests/runtimes/webgpu");
const unpacked = join(bench, "node_modules/.software");

/** Environment variables for processes that run WebGPU tests; {} where there is none, and the tests say why. */
export async function webgpuEnv() {
  installBench(bench);
  const folder = join(bench, "node_modules/webgpu");
  if (!existsSync(folder)) return {};
  const env = { IJEPA_WEBGPU_PACKAGE: folder };
  if (process.platform !== "linux" || process.env.IJEPA_WEBGPU === "hardware") return env;
  if (process.arch !== "x64" || !(await unpack())) return {};
  return {
    ...env,
    VK_ICD_FILENAMES: join(unpacked, "vk_swiftshader_icd.json"),
    LD_LIBRARY_PATH: [unpacked, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
    XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(),
  };
}

/**
 * Mesa's llvmpipe, the driver that catches reassociation. It is no npm package: root on a Debian gets it from apt-get, others
 * install mesa-vulkan-drivers themselves, and without it the tests say that they were not run.
 */
export function installLlvmpipe() {
  const here = ["lvp_icd.x86_64.json", "lvp_icd.json"].some((name) => existsSync(join("/usr/share/vulkan/icd.d", name)));
  if (here || process.platform !== "linux" || process.getuid() !== 0) return;
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args) => tryRun("apt-get", ["-qq", ...args], { env, quiet: true }) === 0;
  if (!apt("update") || !apt("install", "--yes", "--no-install-recommends", "mesa-vulkan-drivers")) {
    console.error("not installed: mesa-vulkan-drivers; tests on llvmpipe will be reported as not run.");
  }
}

/** Chromium and its SwiftShader to node_modules/.software; the package unpacks into TMPDIR. */
async function unpack() {
  if (existsSync(join(unpacked, "vk_swiftshader_icd.json"))) return true;
  const { TMPDIR } = process.env;
  mkdirSync(unpacked, { recursive: true });
  process.env.TMPDIR = unpacked;
  try {
    const entry = createRequire(join(bench, "package.json")).resolve("@sparticuz/chromium");
    const { default: chromium } = await import(pathToFileURL(entry).href);
    await (chromium.default ?? chromium).executablePath();
    return true;
  } catch (error) {
    console.error(`not unpacked: SwiftShader (${error}); WebGPU tests will be reported as not run.`);
    return false;
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
}
