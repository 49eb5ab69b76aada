/** Tensors of a WebGPU device: one buffer each. */
import { IJepaError } from "../../core/errors.js";
import { bytesOf, type DeviceTensor, type TensorDesc } from "../../ops/contract.js";
import type { Faults } from "./faults.js";
import type { Part } from "./split.js";

/** GPUBufferUsage, which not every host has as a global. */
export const USAGE = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128 };
const MAP_MODE_READ = 1;
/** Kernels see buffers as vectors of 16 bytes. */
export const ALIGN = 16;

interface WebgpuTensor extends DeviceTensor {
  readonly buffer: GPUBuffer;
}

export class Memory {
  readonly #buffers = new Set<GPUBuffer>();
  readonly #tensors = new Set<WebgpuTensor>();

  /**
   * @param most bytes of a buffer
   * @param flush submits what was recorded: buffers must live until then, and copies come after it
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly faults: Faults,
    private readonly most: number,
    private readonly flush: () => void,
  ) {}

  /** Throws IJepaError `backend/memory` for a tensor that is too large. If the device runs out of memory, the next call throws it. */
  create(label: string, size: number, usage: number): GPUBuffer {
    this.faults.check();
    if (size > this.most) throw tooLarge(label, size);
    const buffer = this.faults.watch("out-of-memory", () => this.device.createBuffer({ label, size, usage }), () => tooLarge(label, size));
    this.#buffers.add(buffer);
    return buffer;
  }

  /** The buffer belongs to the caller from here on. */
  forget(buffer: GPUBuffer): void {
    this.#buffers.delete(buffer);
  }

  alloc(desc: TensorDesc): WebgpuTensor {
    const bytes = bytesOf(desc);
    const size = Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN);
    const tensor: WebgpuTensor = { ...desc, bytes, buffer: this.create(desc.name, size, USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST) };
    this.#tensors.add(tensor);
    return tensor;
  }

  release(tensor: DeviceTensor): void {
    const { buffer } = this.#own(tensor);
    this.flush();
    this.#destroy(buffer);
    this.#tensors.delete(tensor as WebgpuTensor);
  }

  write(dst: DeviceTensor, bytes: Uint8Array, byteOffset: number): void {
    this.faults.check();
    const { buffer, bytes: size, name } = this.#own(dst), end = byteOffset + bytes.length, { queue } = this.device;
    if (end > size) throw new RangeError(`${end} bytes do not fit in ${name}, which has ${size}.`);
    if (byteOffset % 4 !== 0 || (bytes.length % 4 !== 0 && end !== size)) {
      throw new RangeError(`WebGPU writes whole words: bytes ${byteOffset} to ${end} of ${name} are not.`);
    }
    this.flush();
    const body = bytes.length - (bytes.length % 4);
    queue.writeBuffer(buffer, byteOffset, bytes as Uint8Array<ArrayBuffer>, 0, body);
    if (body === bytes.length) return;
    const tail = new Uint8Array(4);
    tail.set(bytes.subarray(body));
    queue.writeBuffer(buffer, byteOffset + body, tail);
  }

  async read(src: DeviceTensor): Promise<Uint8Array> {
    const { buffer, bytes } = this.#own(src), size = Math.ceil(bytes / 4) * 4;
    const staging = this.create(`copy of ${src.name}`, Math.max(4, size), USAGE.COPY_DST | USAGE.MAP_READ);
    try {
      this.flush();
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
      this.device.queue.submit([encoder.finish()]);
      await this.faults.guard(() => staging.mapAsync(MAP_MODE_READ));
      return new Uint8Array(staging.getMappedRange()).slice(0, bytes);
    } finally {
      this.#destroy(staging);
    }
  }

  /** What a binding of a tensor, or of a part of one, sees. */
  binding(tensor: DeviceTensor): GPUBufferBinding {
    const { whole, offset } = tensor as Partial<Part>;
    if (whole === undefined) return { buffer: this.#own(tensor).buffer };
    return { buffer: this.#own(whole).buffer, offset: offset!, size: Math.ceil(tensor.bytes / ALIGN) * ALIGN };
  }

  dispose(): void {
    this.#tensors.clear();
    this.#buffers.forEach((buffer) => this.#destroy(buffer));
  }

  #own(tensor: DeviceTensor): WebgpuTensor {
    if (!this.#tensors.has(tensor as WebgpuTensor)) throw new TypeError(`The tensor ${tensor.name} was released or belongs to another backend.`);
    return tensor as WebgpuTensor;
  }

  #destroy(buffer: GPUBuffer): void {
    this.#buffers.delete(buffer);
    buffer.destroy();
  }
}

function tooLarge(name: string, bytes: number): IJepaError {
  const message = `WebGPU cannot allocate ${name}: ${bytes} bytes in one buffer. Use a smaller dtype, image or batch, or device wasm.`;
  return new IJepaError("backend/memory", message, { backend: "webgpu", bytes });
}
