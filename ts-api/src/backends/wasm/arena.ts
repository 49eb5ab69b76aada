/** Allocates the memory of the kernels: a number of bytes in, an address out. */
import { IJepaError } from "../../core/errors.js";

const PAGE = 65536;
const ALIGN = 64;
/** Below this address the kernels keep their constants (asconfig.json, assembly/lib/constants.ts). */
const FIRST = 1024;
/**
 * wasm32 addresses 4 GiB. The last page is never used: a buffer that ended at byte 2^32 would have the end address 0, and loops up to it
 * would do nothing.
 */
const MAX_PAGES = 65535;

interface Span {
  address: number;
  bytes: number;
}

/**
 * Allocates addresses in one WebAssembly.Memory: first fit, merged on release. The kernels themselves allocate nothing. Addresses below
 * FIRST are never given out, so that 0 can mean "none".
 */
export class Arena {
  readonly memory: WebAssembly.Memory;
  private free: Span[];
  private top: number;

  constructor(shared: boolean) {
    this.memory = newMemory(shared);
    this.free = [];
    this.top = FIRST;
  }

  /** Throws IJepaError `backend/memory` when the memory cannot grow that far. */
  alloc(bytes: number): number {
    const size = Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN);
    const fit = this.free.findIndex((span) => span.bytes >= size);
    if (fit >= 0) {
      const span = this.free[fit];
      const { address } = span;
      span.address += size;
      span.bytes -= size;
      if (span.bytes === 0) this.free.splice(fit, 1);
      return address;
    }
    const address = this.top;
    this.growTo(address + size);
    this.top += size;
    return address;
  }

  release(address: number, bytes: number): void {
    const size = Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN);
    this.free.push({ address, bytes: size });
    this.free.sort((a, b) => a.address - b.address);
    this.free = this.free.reduce<Span[]>((merged, span) => {
      const last = merged.at(-1);
      if (last !== undefined && last.address + last.bytes === span.address) last.bytes += span.bytes;
      else merged.push(span);
      return merged;
    }, []);
    const last = this.free.at(-1);
    if (last !== undefined && last.address + last.bytes === this.top) {
      this.top = last.address;
      this.free.pop();
    }
  }

  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  private growTo(end: number): void {
    const missing = Math.ceil(end / PAGE) - this.memory.buffer.byteLength / PAGE;
    if (missing <= 0) return;
    try {
      this.memory.grow(missing);
    } catch (cause) {
      const message = `WebAssembly memory cannot grow to ${end} bytes. Use a smaller dtype, a smaller batch, or a host with more memory.`;
      throw new IJepaError("backend/memory", message, { backend: "wasm", bytes: end }, { cause });
    }
  }
}

/** A shared memory reserves all of its addresses at once, which small devices refuse. */
function newMemory(shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared });
  } catch (cause) {
    const bytes = shared ? MAX_PAGES * PAGE : PAGE;
    const message = `This host provides no WebAssembly memory${shared ? " that threads can share. Use 1 thread." : "."}`;
    throw new IJepaError("backend/memory", message, { backend: "wasm", bytes }, { cause });
  }
}
