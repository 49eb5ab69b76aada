/** Compiles kernels, each once per device. */
import { IJepaError } from "../../core/errors.js";
import type { Products, Shader, ShaderName } from "./kernels.js";
import { SHADERS } from "./shaders.js";

/**
 * `fast` leaves sums of exact products to the compiler, which may fuse them but was never seen to reorder them; `pinned` forces every
 * step. Attestation (backends/attest.ts) decides which one a device may use.
 */
export type Tier = "fast" | "pinned";

export type ShaderSources = Readonly<Record<ShaderName, string>>;

export class Pipelines {
  readonly #known = new Map<string, Promise<GPUComputePipeline>>();

  /**
   * @param sources the WGSL files; tests plant wrong ones
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly tier: Tier,
    private readonly sources: ShaderSources = SHADERS,
  ) {}

  /** Rejects with IJepaError `backend/unavailable` when the device refuses the shader. */
  get(kernel: Shader): Promise<GPUComputePipeline> {
    let pipeline = this.#known.get(kernel.name);
    if (pipeline === undefined) {
      pipeline = this.#compile(kernel);
      this.#known.set(kernel.name, pipeline);
    }
    return pipeline;
  }

  async #compile({ name, entry = name, files, products, constants: own = {} }: Shader): Promise<GPUComputePipeline> {
    const { device, tier } = this;
    // The scope keeps a wrong shader out of the console; the pipeline's rejection reports it.
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label: name, code: files.map((file) => this.sources[file]).join("\n") });
    device.popErrorScope().catch(() => undefined);
    const constants = { ...own, ...(products === undefined ? {} : pinsOf(products, tier)) };
    try {
      return await device.createComputePipelineAsync({ label: name, layout: "auto", compute: { module, entryPoint: entry, constants } });
    } catch (cause) {
      const { messages } = await module.getCompilationInfo();
      const detail = messages.find((message) => message.type === "error")?.message ?? String(cause);
      const message = `The device rejects the shader ${name}: ${detail}. Update the driver or browser, or use device wasm.`;
      throw new IJepaError("backend/unavailable", message, { backend: "webgpu" }, { cause });
    }
  }
}

function pinsOf(products: Products, tier: Tier): Record<string, number> {
  const pinned = products === "rounded" || tier === "pinned" ? 1 : 0;
  return { PINNED_PRODUCTS: pinned, PINNED_SUMS: pinned };
}
