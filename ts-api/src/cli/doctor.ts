/** `ijepa doctor`: prints what this machine can compute on, and what would make it faster. */
import { doctor as examine, type DoctorReport } from "../index.js";
import type { CliHost } from "../runtime/cli-host.js";
import type { Command, Settings } from "./args.js";
import { formatTable, printable } from "./text.js";

export const doctor: Command = {
  name: "doctor",
  usage: "[options]",
  summary: "Show what this machine has for the library, whether its bits are right, and what would make it faster",
  options: ["json", "help"],
  images: [0, 0],
  notes: ["The last table lists the options that are open here, with the speed-up that was measured for ViT-B/16 with one photo at a time (docs/performance.md). Options multiply only roughly."],
  run: runDoctor,
};

async function runDoctor({ json }: Settings, host: CliHost): Promise<number> {
  const report = await examine();
  await host.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : toText(report));
  return 0;
}

function toText({ runtime, cores, wasm, webgpu, gains }: DoctorReport): string {
  const yes = (value: boolean) => (value ? "yes" : "no");
  const rows = [
    ["runtime", `${runtime}, ${cores} processors`],
    ["SIMD", yes(wasm.simd128)],
    ["relaxed SIMD", yes(wasm.relaxedSimd)],
    ["int4 loops, fastest first", wasm.loops.join(", ") || "none"],
    ["int8 loops, fastest first", wasm.int8Loops.join(", ") || "none"],
    ["vectors of 256 bits", wasm.revectorized ? "yes, attested" : `no: ${wasm.reason}`],
    ["WebGPU", webgpu.device === undefined ? `none: ${webgpu.reason}` : `${webgpu.device}${webgpu.software ? " (software)" : ""}`],
  ];
  if (webgpu.device !== undefined) {
    rows.push(["WebGPU attested", webgpu.attested ? "yes" : `no: ${webgpu.reason}`]);
    rows.push(...Object.entries(webgpu.limits).map(([name, value]) => [`WebGPU ${name}`, String(value)]));
  }
  const speedUp = (ratio: number | undefined) => (ratio === undefined ? "" : `${ratio} x`);
  const options = gains.map(({ option, ratio }) => [printable(option), speedUp(ratio.int4), speedUp(ratio.bf16), Object.keys(ratio).length === 0 ? "not measured" : ""]);
  const faster = formatTable([["what would be faster here", "int4", "bf16", ""], ...options], [1, 2]);
  return `${[...formatTable(rows.map((row) => row.map(printable)), []), "", ...faster].map((line) => line.trimEnd()).join("\n")}\n`;
}
