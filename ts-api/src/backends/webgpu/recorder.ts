/** Records dispatches one by one, and submits them to the device's queue some layers at a time. */

/** Dispatches of a submission: enough to keep submissions few, and few enough that the device starts while the rest is recorded. */
const MOST = 64;

export interface BoundStep {
  pipeline: GPUComputePipeline;
  bindings: GPUBindGroup;
  groups: readonly [number, number];
}

export class Recorder {
  #open: { encoder: GPUCommandEncoder; pass: GPUComputePassEncoder; dispatches: number } | undefined;

  constructor(private readonly device: GPUDevice) {}

  add(steps: readonly BoundStep[]): void {
    const open = (this.#open ??= this.#begin());
    for (const { pipeline, bindings, groups } of steps) {
      open.pass.setPipeline(pipeline);
      open.pass.setBindGroup(0, bindings);
      open.pass.dispatchWorkgroups(...groups);
    }
    open.dispatches += steps.length;
    if (open.dispatches >= MOST) this.submit();
  }

  /** Call it before any other work of the queue that must come after the recorded dispatches, and before a buffer is destroyed. */
  submit(): void {
    if (this.#open === undefined) return;
    const { encoder, pass } = this.#open;
    this.#open = undefined;
    pass.end();
    this.device.queue.submit([encoder.finish()]);
  }

  #begin() {
    const encoder = this.device.createCommandEncoder();
    return { encoder, pass: encoder.beginComputePass(), dispatches: 0 };
  }
}
