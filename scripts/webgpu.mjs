/**
 * Installs WebGPU for the tests: Dawn for Node, and on Linux the SwiftShader of @sparticuz/chromium, so that no GPU is needed.
 * IJEPA_WEBGPU=hardware leaves the choice of the driver to the machine; with IJEPA_WEBGPU_PACKAGE too, nothing is installed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { installDebian } from "./debian.mjs";
import { root } from "./run.mjs";
import { installBench } from "./setup.mjs";

const bench = join(root, "tests/runtimes/webgpu");
const unpacked = join(bench, "node_modules/.software");

/** Environment variables for processes that run WebGPU tests; {} if there is no WebGPU, and the tests say why. */
export async function webgpuEnv() {
  if (process.env.IJEPA_WEBGPU === "hardware" && process.env.IJEPA_WEBGPU_PACKAGE !== undefined) return hardwareEnv();
  installBench(bench);
  const folder = join(bench, "node_modules/webgpu");
  if (!existsSync(folder)) return {};
  const env = { IJEPA_WEBGPU_PACKAGE: folder };
  if (process.env.IJEPA_WEBGPU === "hardware") return { ...env, ...(await hardwareEnv()) };
  if (process.platform !== "linux") return env;
  if (process.arch !== "x64" || !(await unpack())) return {};
  return {
    ...env,
    VK_ICD_FILENAMES: join(unpacked, "vk_swiftshader_icd.json"),
    LD_LIBRARY_PATH: [unpacked, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
    XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(),
  };
}

/** The place of NVIDIA's driver file in containers, where the Vulkan loader does not look. */
const NVIDIA_DRIVER = "/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json";
const DRIVER_FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];

/** What the machine's own driver needs to be found: its file, and a Vulkan loader, which Chromium's package has too. */
async function hardwareEnv() {
  if (process.platform !== "linux") return {};
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES, LD_LIBRARY_PATH } = process.env, env = { XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir() };
  const known = DRIVER_FOLDERS.some((folder) => existsSync(join(folder, "nvidia_icd.json")));
  if (!VK_DRIVER_FILES && !VK_ICD_FILENAMES && !known && existsSync(NVIDIA_DRIVER)) env.VK_DRIVER_FILES = NVIDIA_DRIVER;
  const { stdout } = spawnSync("ldconfig", ["-p"], { encoding: "utf8" });
  const hasLoader = stdout?.includes("libvulkan.so.1") ?? true;
  if (!hasLoader && process.arch === "x64" && existsSync(join(bench, "node_modules/@sparticuz/chromium")) && (await unpack())) {
    env.LD_LIBRARY_PATH = [LD_LIBRARY_PATH, unpacked].filter(Boolean).join(":");
  }
  return env;
}

/**
 * Mesa's llvmpipe, the driver that catches reassociation. It is no npm package: root on a Debian gets it from apt-get, others
 * install mesa-vulkan-drivers themselves, and without it the tests say that they were not run.
 */
export function installLlvmpipe() {
  const here = ["lvp_icd.x86_64.json", "lvp_icd.json"].some((name) => existsSync(join("/usr/share/vulkan/icd.d", name)));
  if (here || process.platform !== "linux") return;
  installDebian("mesa-vulkan-drivers");
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
