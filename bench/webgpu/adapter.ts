/** A program for scripts/gpu.mjs: prints the adapter that models get on this machine, as a line of JSON. */
import { gpuHere } from "../../tests/support/webgpu.js";
import { openDevice } from "../../ts-api/src/backends/webgpu/device.js";

const LIMITS = [
  "maxBufferSize", "maxStorageBufferBindingSize", "maxComputeWorkgroupStorageSize", "maxComputeInvocationsPerWorkgroup", "maxComputeWorkgroupsPerDimension",
] as const;

const { gpu, reason } = await gpuHere();
if (gpu === undefined) {
  console.error(reason);
  process.exit(1);
}
const { device, name, software, features } = await openDevice({ gpu });
console.log(JSON.stringify({ name, software, limits: Object.fromEntries(LIMITS.map((limit) => [limit, device.limits[limit]])), language: [...features] }));
device.destroy();
process.exit(0);
