/** Describes the machine and the engine, without which no number has a meaning. */
import { existsSync, readFileSync } from "node:fs";
import { arch, cpus, loadavg, platform } from "node:os";

/** Processor features that decide what a dot product costs. */
const FEATURES = ["avx2", "fma", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"];

/** One line on the machine and one on the engine, with the load average of this moment. */
export function describeMachine(): string {
  const processors = cpus();
  const features = processorFeatures();
  const load = loadavg().map((value) => value.toFixed(2)).join(" ");
  const model = processors[0]?.model.trim() ?? "unknown processor";
  const flags = process.execArgv.length === 0 ? "none" : process.execArgv.join(" ");
  return [
    `machine  ${model}, ${processors.length} cores, ${platform()}-${arch()}${features}, load ${load}`,
    `engine   node ${process.versions.node}, V8 ${process.versions.v8}, flags: ${flags}`,
  ].join("\n");
}

/** Peak resident memory of this process, in MB. */
export function peakMemory(): number {
  // Unlike the peak that the system counts for a process, this one does not begin with that of the process that started it.
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "";
  const peak = /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1];
  return (peak === undefined ? process.resourceUsage().maxRSS : Number(peak)) / 1024;
}

/** Time in which this machine had work and its host gave the processor to others, in the system's ticks since its start; 0 where the system does not say. */
export function stolenTime(): number {
  const line = existsSync("/proc/stat") ? readFileSync("/proc/stat", "utf8").split("\n", 1)[0] : "";
  return Number(line.trim().split(/\s+/)[8] ?? 0);
}

function processorFeatures(): string {
  if (!existsSync("/proc/cpuinfo")) return "";
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  const present = new Set(line.split(/\s+/));
  return ` (${FEATURES.filter((feature) => present.has(feature)).join(" ")})`;
}
