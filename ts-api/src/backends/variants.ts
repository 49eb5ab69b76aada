/** Lists every way in which this machine can compute: each kernel variant of each backend. All must give the same bits. */
import { cpuVariants, openWebgpu } from "#devices";
import { messageOf } from "../core/show.js";
import type { Backend } from "./backend.js";
import type { WebgpuOptions } from "./webgpu/webgpu.js";

/** A way in which this machine can compute. */
export interface Variant {
  /** Such as "wasm relaxed dot16_lanes". */
  name: string;
  /** Opens the backend. */
  open(): Promise<Backend>;
}

/** A variant that this machine does not have, and why. */
export interface AbsentVariant {
  /** Such as "webgpu". */
  name: string;
  /** Why this machine does not have it. */
  reason: string;
}

export interface Variants {
  present: Variant[];
  absent: AbsentVariant[];
}

export async function variantsHere(): Promise<Variants> {
  const parts = await Promise.all([cpuVariants(), webgpuVariants()]);
  return { present: parts.flatMap(({ present }) => present), absent: parts.flatMap(({ absent }) => absent) };
}

async function webgpuVariants(): Promise<Variants> {
  const variant = (name: string, options: WebgpuOptions): Variant => ({ name: `webgpu ${name}`, open: () => openWebgpu(options) });
  try {
    (await openWebgpu()).dispose();
  } catch (error) {
    return { present: [], absent: [{ name: "webgpu", reason: messageOf(error) }] };
  }
  const withoutDot4 = (kernel: string) => !kernel.includes("_dot4");
  return {
    present: [variant("fast", { tier: "fast" }), variant("fast, no dot4", { tier: "fast", allow: withoutDot4 }), variant("pinned", { tier: "pinned" })],
    absent: [],
  };
}
