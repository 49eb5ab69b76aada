/**
 * The types of hosts (fetch, Blob and others) as the user's program declares them: lib.dom, @types/node, those of Workers, Bun, Deno or
 * WebGPU. If it declares none, the part that this library uses. So the package's types need neither the DOM nor a package of types.
 */

type Instance<Name extends string, Else> = typeof globalThis extends { [K in Name]: { prototype: infer T } } ? T : Else;

export type AbortSignal = Instance<"AbortSignal", { readonly aborted: boolean; readonly reason: any; throwIfAborted(): void }>;
export type URL = Instance<"URL", { readonly href: string; readonly protocol: string; readonly pathname: string; toString(): string }>;
export type Request = Instance<"Request", { readonly url: string; readonly method: string; readonly headers: any; arrayBuffer(): Promise<ArrayBuffer> }>;
export type Response = Instance<"Response", { readonly ok: boolean; readonly status: number; readonly headers: any; arrayBuffer(): Promise<ArrayBuffer>; json(): Promise<any> }>;
export type Fetch = typeof globalThis extends { fetch: infer F } ? F : (input: any, init?: any) => Promise<any>;
export type Blob = Instance<"Blob", { readonly size: number; readonly type: string; arrayBuffer(): Promise<ArrayBuffer> }>;
/** Of bytes. */
export type ReadableStream = Instance<"ReadableStream", { getReader(): any }>;
export type ImageData = Instance<"ImageData", { readonly data: Uint8ClampedArray; readonly width: number; readonly height: number }>;
export type OffscreenCanvas = Instance<"OffscreenCanvas", { width: number; height: number; getContext(kind: any): any }>;

export type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer T } } } ? T : object;
export type WasmMemory = typeof globalThis extends { WebAssembly: { Memory: { prototype: infer T } } } ? T : { readonly buffer: ArrayBuffer };

export type GPU = Instance<"GPU", object>;
export type GPUDevice = Instance<"GPUDevice", object>;
export type GPUComputePipeline = Instance<"GPUComputePipeline", object>;
export type GPUSupportedLimits = Instance<"GPUSupportedLimits", any>;
export type GPUPowerPreference = "low-power" | "high-performance";
