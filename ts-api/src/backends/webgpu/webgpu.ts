import { IJepaError } from "../../core/errors.js";
import { bytesOf, type DeviceTensor, type TensorDesc } from "../../ops/contract.js";
import { checkCall, type OpCall } from "../../ops/table.js";
import type { Backend, Program } from "../backend.js";
import { openDevice, type DeviceOptions } from "./device.js";
import { Faults } from "./faults.js";
import { kernelsFor, type Dispatch } from "./kernels.js";
import { Pipelines, type ShaderSources, type Tier } from "./pipelines.js";

/** GPUBufferUsage, which not every host has as a global. */
const USAGE = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128 };
const MAP_MODE_READ = 1;
/** Default minStorageBufferOffsetAlignment: where each call's parameters begin. */
const PARAMS_STRIDE = 256;
/** Kernels see buffers as vectors of 16 bytes. */
const ALIGN = 16;
/** Tensors of one call; WebGPU's default limit is 8 storage buffers, one of them the parameters. */
const MAX_BINDINGS = 7;

interface WebgpuTensor extends DeviceTensor {
  readonly buffer: GPUBuffer;
}

interface Step {
  kernel: string;
  pipeline: GPUComputePipeline;
  bindings: GPUBindGroup;
  groups: readonly [number, number];
}

interface WebgpuProgram extends Program {
  readonly steps: readonly Step[];
}

/** What decides whether and how a model fits. */
const LIMITS = ["maxStorageBufferBindingSize", "maxBufferSize", "maxComputeInvocationsPerWorkgroup", "maxComputeWorkgroupStorageSize"] as const;

export interface WebgpuBackend extends Backend {
  readonly tier: Tier;
  /** True for adapters that compute on the CPU. */
  readonly software: boolean;
  /** The device's limits, in bytes and invocations. */
  readonly limits: Pick<GPUSupportedLimits, (typeof LIMITS)[number]>;
  /** The kernel of each step of a program, in order. */
  kernelsOf(program: Program): string[];
}

export interface WebgpuOptions extends DeviceOptions {
  /** Default "fast". `openBackend` attests the device and takes "pinned" where the fast one is inexact. */
  tier?: Tier | undefined;
  /** Leaves out the kernels it is false for; the suite uses it to choose one. */
  allow?: ((kernel: string) => boolean) | undefined;
  /** Other WGSL files; the suite plants wrong ones. */
  sources?: ShaderSources | undefined;
}

/**
 * The WebGPU backend: WGSL kernels, one queue, one submission a program.
 *
 * @throws IJepaError `backend/unavailable` when there is no device
 */
export async function openWebgpu(options: WebgpuOptions = {}): Promise<WebgpuBackend> {
  const { tier = "fast", allow = () => true } = options;
  const { device, name, features, software, owned } = await openDevice(options);
  const pipelines = new Pipelines(device, tier, options.sources);
  const faults = new Faults(device);
  const { limits, queue } = device;
  const buffers = new Set<GPUBuffer>();
  const tensors = new Set<WebgpuTensor>();

  const create = (label: string, size: number, usage: number): GPUBuffer => {
    faults.check();
    if (size > Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize)) throw tooLarge(label, size);
    const buffer = faults.watch("out-of-memory", () => device.createBuffer({ label, size, usage }), () => tooLarge(label, size));
    buffers.add(buffer);
    return buffer;
  };
  const destroy = (buffer: GPUBuffer) => {
    buffers.delete(buffer);
    buffer.destroy();
  };
  /** Bound where a kernel has a buffer that the call does not use. */
  // Bound where a call has no such tensor; one a binding, because a writable buffer may be bound once.
  const unused = Array.from({ length: MAX_BINDINGS }, () => create("unused", ALIGN, USAGE.STORAGE));

  const own = (tensor: DeviceTensor): WebgpuTensor => {
    if (!tensors.has(tensor as WebgpuTensor)) throw new TypeError(`The tensor ${tensor.name} was released or belongs to another backend.`);
    return tensor as WebgpuTensor;
  };

  const kernelFor = (call: OpCall) => {
    checkCall(call);
    const kernel = kernelsFor(call).find(({ name, feature }) => allow(name) && (feature === undefined || features.has(feature)));
    if (kernel === undefined) throw new IJepaError("backend/unavailable", `No WebGPU kernel computes ${call.op} on ${name}.`, { backend: "webgpu" });
    return kernel;
  };

  const groupsOf = (call: OpCall, groups: Dispatch["groups"]): readonly [number, number] => {
    const most = limits.maxComputeWorkgroupsPerDimension;
    const spread = typeof groups === "number" ? ([Math.min(groups, most), Math.ceil(groups / most)] as const) : groups;
    if (Math.max(...spread) > most) {
      const message = `${call.op} needs ${spread.join(" x ")} workgroups; this device allows ${most} a dimension. Use a smaller batch.`;
      throw new IJepaError("backend/memory", message, { backend: "webgpu", bytes: 0 });
    }
    return spread;
  };

  return {
    id: "webgpu",
    device: `${name}, ${tier} sums`,
    tier,
    software,
    limits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])) as WebgpuBackend["limits"],

    alloc(desc: TensorDesc) {
      const bytes = bytesOf(desc);
      const size = Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN);
      const tensor: WebgpuTensor = { ...desc, bytes, buffer: create(desc.name, size, USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST) };
      tensors.add(tensor);
      return tensor;
    },

    release(tensor) {
      destroy(own(tensor).buffer);
      tensors.delete(tensor as WebgpuTensor);
    },

    write(dst, bytes, byteOffset = 0) {
      faults.check();
      const { buffer, bytes: size, name } = own(dst), end = byteOffset + bytes.length;
      if (end > size) throw new RangeError(`${end} bytes do not fit in ${name}, which has ${size}.`);
      if (byteOffset % 4 !== 0 || (bytes.length % 4 !== 0 && end !== size)) {
        throw new RangeError(`WebGPU writes whole words: bytes ${byteOffset} to ${end} of ${name} are not.`);
      }
      const body = bytes.length - (bytes.length % 4);
      queue.writeBuffer(buffer, byteOffset, bytes as Uint8Array<ArrayBuffer>, 0, body);
      if (body === bytes.length) return;
      const tail = new Uint8Array(4);
      tail.set(bytes.subarray(body));
      queue.writeBuffer(buffer, byteOffset + body, tail);
    },

    async read(src) {
      const { buffer, bytes } = own(src), size = Math.ceil(bytes / 4) * 4;
      const staging = create(`copy of ${src.name}`, Math.max(4, size), USAGE.COPY_DST | USAGE.MAP_READ);
      try {
        const encoder = device.createCommandEncoder();
        encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
        queue.submit([encoder.finish()]);
        await faults.guard(() => staging.mapAsync(MAP_MODE_READ));
        return new Uint8Array(staging.getMappedRange()).slice(0, bytes);
      } finally {
        destroy(staging);
      }
    },

    async compile(calls): Promise<WebgpuProgram> {
      faults.check();
      // 1. a kernel and its sizes for every call
      const chosen = calls.map((call) => {
        const kernel = kernelFor(call), { params, buffers: used, groups } = kernel.dispatch(call);
        return { kernel, params, used: used.map((tensor, i) => (tensor === undefined ? unused[i] : own(tensor).buffer)), groups: groupsOf(call, groups) };
      });
      const ready = await faults.guard(() => Promise.all(chosen.map(({ kernel }) => pipelines.get(kernel))));
      // 2. the parameters of all calls in one buffer; word 0 of each stays 0
      const words = new Uint32Array((Math.max(1, calls.length) * PARAMS_STRIDE) / 4);
      chosen.forEach(({ params }, i) => words.set(params, (i * PARAMS_STRIDE) / 4 + 1));
      const parameters = create("parameters", words.byteLength, USAGE.STORAGE | USAGE.COPY_DST);
      // Nobody releases a program: its buffer goes with it.
      buffers.delete(parameters);
      queue.writeBuffer(parameters, 0, words);
      // 3. bindings
      const steps = faults.watch(
        "validation",
        () => chosen.map(({ kernel, used, groups }, i): Step => {
          const entries = [{ buffer: parameters, offset: i * PARAMS_STRIDE, size: PARAMS_STRIDE }, ...used.map((buffer) => ({ buffer }))];
          const layout = ready[i].getBindGroupLayout(0);
          const bindings = device.createBindGroup({ layout, entries: entries.map((resource, binding) => ({ binding, resource })) });
          return { kernel: kernel.name, pipeline: ready[i], bindings, groups };
        }),
        (text) => new IJepaError("backend/unavailable", `The device refuses the bindings of a program: ${text}.`, { backend: "webgpu" }),
      );
      await faults.settled();
      return { calls, steps };
    },

    run(program) {
      faults.check();
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { pipeline, bindings, groups } of (program as WebgpuProgram).steps) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(...groups);
      }
      pass.end();
      queue.submit([encoder.finish()]);
    },

    kernelsOf: (program) => (program as WebgpuProgram).steps.map((step) => step.kernel),

    dispose() {
      faults.close();
      tensors.clear();
      buffers.forEach(destroy);
      if (owned) device.destroy();
    },
  };
}

function tooLarge(name: string, bytes: number): IJepaError {
  const message = `WebGPU has no room for ${name}: ${bytes} bytes in one buffer. Use a smaller dtype or batch, or device wasm.`;
  return new IJepaError("backend/memory", message, { backend: "webgpu", bytes });
}
