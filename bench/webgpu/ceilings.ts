/** Measures the limits of a GPU's arithmetic: loops of multiply and add in registers, the same steps as the kernels' inner loops. */
import { DOT4_FEATURE } from "../../ts-api/src/backends/webgpu/kernels.js";

export const CEILINGS = ["dot4", "f32"] as const;
export type CeilingName = (typeof CEILINGS)[number];

/** Independent chains of an invocation, steps of a chain in one turn of the loop, turns. */
const CHAINS = 16, UNROLL = 8, TURNS = 256;
const GROUP = 256;
/** What the shorter of two runs takes at least: by then a GPU is busy, and a software adapter has had one workgroup. */
const LEAST_MS = 20;
const MOST_GROUPS = 32768;

/** A multiply and an add are two operations: dot4 has four products, f32 one. */
const STEPS: Record<CeilingName, { operations: number; type: string; step: (chain: string) => string; start: string }> = {
  dot4: { operations: 8, type: "i32", step: (c) => `${c} += dot4I8Packed(a, u32(${c}));`, start: "i32(local)" },
  f32: { operations: 2, type: "f32", step: (c) => `${c} = ${c} * a + b;`, start: "f32(local)" },
};

/** Operations a second of the whole device; undefined where WGSL lacks the instruction. */
export async function ceiling(device: GPUDevice, gpu: GPU, name: CeilingName): Promise<number | undefined> {
  if (name === "dot4" && !gpu.wgslLanguageFeatures.has(DOT4_FEATURE)) return undefined;
  const { operations, type, step, start } = STEPS[name];
  const chains = Array.from({ length: CHAINS }, (_, i) => `c${i}`);
  const code = `
    @group(0) @binding(0) var<storage, read_write> out: array<${type}>;
    @compute @workgroup_size(${GROUP})
    fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
      let a = ${name === "dot4" ? "u32(out[0]) + 0x01010101u" : "out[0] + 0.999"};
      let b = ${name === "dot4" ? "0u" : "out[0] + 0.001"};
      ${chains.map((chain, i) => `var ${chain} = ${start} + ${type}(${i});`).join("\n")}
      for (var turn = 0u; turn < ${TURNS}u; turn++) { ${Array.from({ length: UNROLL }, () => chains.map(step).join(" ")).join("\n")} }
      if (group.x > 0xfffffff0u) { out[local] = ${chains.join(" + ")}; }
      if (${chains.join(" + ")} == ${type}(123456789)) { out[local] = ${type}(b); }
    }`;
  const buffer = device.createBuffer({ size: 4 * GROUP, usage: 128 | 4 });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module: device.createShaderModule({ code }), entryPoint: "main" } });
  const bindings = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer } }] });
  const run = async (groups: number) => {
    const from = performance.now(), encoder = device.createCommandEncoder(), pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindings);
    pass.dispatchWorkgroups(groups);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - from;
  };
  let groups = 1;
  await run(groups);
  while (2 * groups < MOST_GROUPS && (await run(groups)) < LEAST_MS) groups *= 2;
  // Twice the work less once the work: what a submission costs drops out.
  const best = { one: Infinity, two: Infinity };
  for (let round = 0; round < 5; round++) {
    best.one = Math.min(best.one, await run(groups));
    best.two = Math.min(best.two, await run(2 * groups));
  }
  buffer.destroy();
  return (operations * CHAINS * UNROLL * TURNS * GROUP * groups) / ((best.two - best.one) / 1e3);
}
