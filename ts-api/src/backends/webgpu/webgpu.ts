/** The WebGPU backend: a GPU device in, a `Backend` out. */
import { IJepaError } from "../../core/errors.js";
import { checkCall, type OpCall } from "../../ops/table.js";
import type { Backend, Program } from "../backend.js";
import { openDevice, type DeviceOptions } from "./device.js";
import { Faults } from "./faults.js";
import { fusionAt } from "./fusions.js";
import { kernelsFor, type Dispatch, type Shader } from "./kernels.js";
import { ALIGN, Memory, USAGE } from "./memory.js";
import { Pipelines, type ShaderSources, type Tier } from "./pipelines.js";
import { Recorder, type BoundStep } from "./recorder.js";
import { split, type Piece } from "./split.js";

/** Default minStorageBufferOffsetAlignment: where each dispatch's parameters begin. */
const PARAMS_STRIDE = 256;
/** Tensors of one call; WebGPU's default limit is 8 storage buffers, one of them the parameters. */
const MAX_BINDINGS = 7;
/** Rows of a pass. Hardware needs thousands to be busy; on a processor more rows only cost memory. */
const ROWS = { hardware: 4096, software: 1024 };

/** One dispatch of a program. */
export interface Step {
  kernel: string;
  /** What it computes, in order. */
  calls: readonly OpCall[];
}

interface Chosen {
  shader: Shader;
  calls: readonly OpCall[];
  dispatch: Dispatch;
}

interface WebgpuProgram extends Program {
  readonly steps: readonly (Step & BoundStep)[];
}

/** The limits that decide whether a model fits, and how calls are split. */
const LIMITS = ["maxStorageBufferBindingSize", "maxBufferSize", "maxComputeInvocationsPerWorkgroup", "maxComputeWorkgroupStorageSize"] as const;

/** Bytes of a buffer, and of what a kernel sees of it. */
type Sizes = Pick<GPUSupportedLimits, "maxBufferSize" | "maxStorageBufferBindingSize">;

export interface WebgpuBackend extends Backend {
  readonly tier: Tier;
  /** True for adapters that compute on the CPU. */
  readonly software: boolean;
  /** The device's limits, in bytes and invocations. */
  readonly limits: Pick<GPUSupportedLimits, (typeof LIMITS)[number]>;
  /** The dispatches of a program, in order. */
  stepsOf(program: Program): readonly Step[];
}

export interface WebgpuOptions extends DeviceOptions {
  /** Default "fast". `openBackend` attests the device and takes "pinned" where the fast one is inexact. */
  tier?: Tier | undefined;
  /** Kernels for which it is false are not used; the suite chooses a kernel with it. */
  allow?: ((kernel: string) => boolean) | undefined;
  /** Other WGSL files; the suite plants wrong ones. */
  sources?: ShaderSources | undefined;
  /** Pretends that the device has no larger limits; the suite makes them small. */
  sizes?: Sizes | undefined;
}

/**
 * The WebGPU backend: WGSL kernels and one queue. Programs are recorded, and submitted some layers at a time.
 *
 * @throws IJepaError `backend/unavailable` when there is no device
 */
export async function openWebgpu(options: WebgpuOptions = {}): Promise<WebgpuBackend> {
  const { tier = "fast", allow = () => true } = options;
  const { device, name, features, software, owned } = await openDevice(options);
  const pipelines = new Pipelines(device, tier, options.sources);
  const faults = new Faults(device);
  const { limits, queue } = device;
  const { maxBufferSize, maxStorageBufferBindingSize } = options.sizes ?? limits;

  const recorder = new Recorder(device);
  const memory = new Memory(device, faults, maxBufferSize, () => recorder.submit());
  // Buffers that are bound where a call has no tensor; one for each binding, because a writable buffer may be bound only once.
  const unused = Array.from({ length: MAX_BINDINGS }, () => memory.create("unused", ALIGN, USAGE.STORAGE));

  const usable = ({ name, feature }: Shader) => allow(name) && (feature === undefined || features.has(feature));
  const kernelFor = (call: Piece) => {
    const kernel = kernelsFor(call).find(usable);
    if (kernel === undefined) throw new IJepaError("backend/unavailable", `No WebGPU kernel computes ${call.op} on ${name}.`, { backend: "webgpu" });
    return kernel;
  };

  /** The kernels of a list of calls: one for each pair of calls that can be fused and for each other call, split to fit the bindings. */
  const choose = (calls: readonly OpCall[]): Chosen[] => {
    const chosen: Chosen[] = [];
    for (let i = 0; i < calls.length; i++) {
      const call = calls[i], next = calls[i + 1], fusion = fusionAt(calls, i, usable, maxStorageBufferBindingSize);
      if (fusion !== undefined && next?.op === "quantize-rows") {
        chosen.push({ shader: fusion, calls: [call, next], dispatch: fusion.dispatch(call, next) });
        i++;
        continue;
      }
      for (const piece of split(call, maxStorageBufferBindingSize)) {
        const kernel = kernelFor(piece);
        chosen.push({ shader: kernel, calls: [piece], dispatch: kernel.dispatch(piece) });
      }
    }
    return chosen;
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
    pass: { rows: software ? ROWS.software : ROWS.hardware, tensorBytes: Math.min(maxBufferSize, maxStorageBufferBindingSize) },
    synchronous: false,
    tier,
    software,
    limits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])) as WebgpuBackend["limits"],

    alloc: (desc) => memory.alloc(desc),
    release: (tensor) => memory.release(tensor),
    write: (dst, bytes, byteOffset = 0) => memory.write(dst, bytes, byteOffset),
    read: (src) => memory.read(src),

    async compile(calls): Promise<WebgpuProgram> {
      faults.check();
      // 1. kernels and their pipelines
      calls.forEach(checkCall);
      const chosen = choose(calls);
      const bound = chosen.map(({ dispatch }) =>
        dispatch.buffers.map((tensor, i) => (tensor === undefined ? { buffer: unused[i] } : memory.binding(tensor))),
      );
      const ready = await faults.guard(() => Promise.all(chosen.map(({ shader }) => pipelines.get(shader))));
      // 2. the parameters of all dispatches in one buffer; word 0 of each stays 0
      const words = new Uint32Array((Math.max(1, chosen.length) * PARAMS_STRIDE) / 4);
      chosen.forEach(({ dispatch }, i) => words.set(dispatch.params, (i * PARAMS_STRIDE) / 4 + 1));
      const parameters = memory.create("parameters", words.byteLength, USAGE.STORAGE | USAGE.COPY_DST);
      // Programs are not released explicitly: the buffer is collected with its program.
      memory.forget(parameters);
      queue.writeBuffer(parameters, 0, words);
      // 3. bindings
      const steps = faults.watch(
        "validation",
        () => chosen.map(({ shader, calls, dispatch }, i): Step & BoundStep => {
          const entries: GPUBufferBinding[] = [{ buffer: parameters, offset: i * PARAMS_STRIDE, size: PARAMS_STRIDE }, ...bound[i]];
          const layout = ready[i].getBindGroupLayout(0);
          const bindings = device.createBindGroup({ layout, entries: entries.map((resource, binding) => ({ binding, resource })) });
          return { kernel: shader.name, calls, pipeline: ready[i], bindings, groups: groupsOf(calls[0], dispatch.groups) };
        }),
        (text) => new IJepaError("backend/unavailable", `The device rejects the bindings of a program: ${text}.`, { backend: "webgpu" }),
      );
      await faults.settled();
      return { calls, steps };
    },

    run(program) {
      faults.check();
      recorder.add((program as WebgpuProgram).steps);
    },

    stepsOf: (program) => (program as WebgpuProgram).steps,

    dispose() {
      faults.close();
      memory.dispose();
      if (owned) device.destroy();
    },
  };
}
