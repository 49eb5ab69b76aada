/**
 * Measures the arithmetic limit of one thread: loops of twelve independent chains of one dot step, all in registers, written directly
 * into a WebAssembly module. Products are compared with the loop of their own kind.
 */

interface DotLoop {
  /** Operations of one step of one chain: a multiply and an add are two. */
  operations: number;
  /** Steps `sum` to the next `sum`; a and b are constants of the loop. */
  step(sum: number[], a: number[], b: number[]): number[];
}

const simd = (opcode: number): number[] => [0xfd, ...leb(opcode)];
const F32_ADD = simd(0xe4), F32_MUL = simd(0xe6), F32_MADD = simd(0x105);
const I32_ADD = simd(0xae), I16_ADD = simd(0x8e), DOT_I16 = simd(0xba);
const DOT_I8_TO_I16 = simd(0x112), DOT_I8_TO_I32 = simd(0x113);

/** Sums feed the products where they can, so that no product is the same for two chains. */
export const DOT_LOOPS = {
  "f32 mul, add": { operations: 8, step: (sum, a, b) => [...sum, ...a, ...F32_MUL, ...b, ...F32_ADD] },
  "f32 fused": { operations: 8, step: (sum, a, b) => [...sum, ...a, ...b, ...F32_MADD] },
  "i16 dot": { operations: 16, step: (sum, a) => [...sum, ...sum, ...a, ...DOT_I16, ...I32_ADD] },
  "i8 dot to i16": { operations: 32, step: (sum, a) => [...sum, ...sum, ...a, ...DOT_I8_TO_I16, ...I16_ADD] },
  "i8 dot to i32": { operations: 32, step: (sum, a, b) => [...a, ...b, ...sum, ...DOT_I8_TO_I32] },
} satisfies Record<string, DotLoop>;

export type DotLoopName = keyof typeof DOT_LOOPS;

const CHAINS = 12;
const UNROLL = 4;
/** Iterations of one run: a few hundred microseconds. */
const ITERATIONS = 16384;

export interface Peak {
  name: DotLoopName;
  /** Operations of one run. */
  operations: number;
  run(): void;
}

/** Compiles a loop; rejects with WebAssembly.CompileError where the engine lacks its instruction. */
export async function openPeak(name: DotLoopName): Promise<Peak> {
  const loop: DotLoop = DOT_LOOPS[name];
  const { instance } = await WebAssembly.instantiate(moduleOf(loop) as Uint8Array<ArrayBuffer>);
  const run = instance.exports["run"] as (iterations: number, seed: number) => number;
  return { name, operations: loop.operations * CHAINS * UNROLL * ITERATIONS, run: () => void run(ITERATIONS, 1) };
}

/** (func (export "run") (param $iterations i32) (param $seed i32) (result i32)); the result depends on every chain. */
function moduleOf(loop: DotLoop): Uint8Array {
  const a = get(2), b = get(3), chains = Array.from({ length: CHAINS }, (_, i) => 4 + i);
  const steps = chains.flatMap((local) => [...loop.step(get(local), a, b), ...set(local)]);
  const body = [
    ...constant(0x3f7f3e77), ...set(2), // 0.997 as f32; as bytes, all below 128
    ...constant(0x3a03126f), ...set(3), // 0.0005
    ...chains.flatMap((local, i) => [...get(1), 0x41, ...leb(i), 0x6a, ...simd(0x11), ...set(local)]),
    0x03, 0x40, // loop
    ...Array.from({ length: UNROLL }, () => steps).flat(),
    ...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, // --iterations != 0
    0x0b,
    ...chains.flatMap((local, i) => (i === 0 ? get(local) : [...get(local), ...simd(0x51)])), // xor
    ...simd(0x1b), 0, // lane 0
    0x0b,
  ];
  const code = [1, ...leb(CHAINS + 2), 0x7b, ...body];
  return Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f]),
    ...section(3, [1, 0]),
    ...section(7, [1, 3, 0x72, 0x75, 0x6e, 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}

function constant(bits: number): number[] {
  return [0x41, ...signedLeb(bits), ...simd(0x11)];
}

function get(local: number): number[] {
  return [0x20, local];
}

function set(local: number): number[] {
  return [0x21, local];
}

function section(id: number, content: number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

function signedLeb(value: number): number[] {
  const rest = value >> 7, done = (rest === 0 && (value & 64) === 0) || (rest === -1 && (value & 64) !== 0);
  return done ? [value & 127] : [(value & 127) | 128, ...signedLeb(rest)];
}
