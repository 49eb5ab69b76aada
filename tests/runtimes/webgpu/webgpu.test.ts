/** The same words on other implementations of WebGPU: wgpu in Deno on SwiftShader and on llvmpipe, Dawn in Chromium. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FUSIONS } from "../../../ts-api/src/backends/webgpu/fusions.js";
import { KERNELS } from "../../../ts-api/src/backends/webgpu/kernels.js";
import type { Tier } from "../../../ts-api/src/backends/webgpu/pipelines.js";
import { noChromium } from "../../support/chromium.js";
import { DENO } from "../../support/engines.js";
import { runInChromium } from "./chromium.js";
import type { SuiteReport } from "./suite.js";

const PACKAGES = resolve("tests/runtimes/webgpu/node_modules");
const SOFTWARE = `${PACKAGES}/.software`;
/** Debian's mesa-vulkan-drivers, or any description of Mesa's llvmpipe that the machine has. */
const LLVMPIPE = [process.env.IJEPA_LLVMPIPE_ICD ?? "", "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json", "/usr/share/vulkan/icd.d/lvp_icd.json"];
/** The import map of the compiled library in Deno: the files that `#runtime` and `#devices` name. */
const library = (path: string) => new URL(`../../../ts-api/src/${path}.js`, import.meta.url).href;
const IMPORTS = { "#runtime": library("runtime/node"), "#devices": library("backends/devices") };
const HOST_FILES = `data:application/json,${encodeURIComponent(JSON.stringify({ imports: IMPORTS }))}`;
const stored = JSON.parse(readFileSync("tests/runtimes/demo-digests.json", "utf8")) as Record<string, string>;

const llvmpipe = LLVMPIPE.find((path) => path !== "" && existsSync(path));
const TIERS: readonly Tier[] = ["fast", "pinned"];
/** wgpu has SwiftShader compile for minutes (tests/support/webgpu.ts says why): one tier there, both on llvmpipe. */
const drivers = [
  { driver: "SwiftShader", icd: `${SOFTWARE}/vk_swiftshader_icd.json`, tiers: TIERS.slice(0, 1) },
  { driver: "llvmpipe", icd: llvmpipe, tiers: TIERS },
];

for (const { driver, icd, tiers } of drivers) {
  const missing = !existsSync(DENO) ? `no ${DENO}` : icd === undefined || !existsSync(icd) ? `no Vulkan driver ${driver} (apt-get install mesa-vulkan-drivers)` : "";
  test(`Deno on ${driver}`, { skip: missing === "" ? false : `not run: ${missing}` }, (t) => {
    const program = fileURLToPath(new URL("deno.js", import.meta.url));
    const env = { ...process.env, VK_ICD_FILENAMES: icd, LD_LIBRARY_PATH: SOFTWARE, NO_COLOR: "1" };
    const result = spawnSync(DENO, ["run", "--no-config", "--no-lock", "--allow-all", "--unstable-webgpu", `--import-map=${HOST_FILES}`, program, ...tiers], { encoding: "utf8", env, timeout: 400_000 });
    assert.equal(result.status, 0, result.stderr);
    const report = JSON.parse(result.stdout.trim().split("\n").at(-1)!) as SuiteReport | { absent: string };
    check(t, report, tiers);
  });
}

test("Chromium on SwiftShader", { skip: noChromium ?? false }, async (t) => {
  check(t, await runInChromium(fileURLToPath(new URL("../../..", import.meta.url))), TIERS);
});

function check(t: { diagnostic(message: string): void; skip(message: string): void }, report: SuiteReport | { absent: string }, tiers: readonly Tier[]): void {
  if ("absent" in report) return t.skip(`not run: ${report.absent}`);
  const runs = Object.values(report.ran).reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${report.device}: ${runs} case runs, ${report.wrong.length} wrong`);
  assert.deepEqual(report.wrong, []);
  assert.deepEqual(report.attested, Object.fromEntries(tiers.map((tier) => [tier, null])));
  assert.deepEqual(report.digests, stored);
  const ran = new Set(Object.keys(report.ran));
  const kernels = [...Object.values(KERNELS).flat(), ...FUSIONS].map(({ name }) => name);
  assert.deepEqual([...ran].sort(), tiers.flatMap((tier) => kernels.map((name) => `${tier} ${name}`)).sort());
}
