/** Programs on several threads: failures, lost threads, long programs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runtime } from "#runtime";
import type { IJepaError } from "../../../ts-api/src/index.js";
import { MAX_STEPS, Member, newControl, type ThreadData } from "../../../ts-api/src/backends/wasm/thread-team.js";
import type { Step } from "../../../ts-api/src/backends/wasm/kernels.js";
import { openWasm } from "../../../ts-api/src/backends/wasm/wasm.js";
import { gaussArray } from "../../support/random.js";

function stepOf(units: number, ...args: number[]): { kernel: number; step: Step } {
  return { kernel: 0, step: { kernel: "fake", args, scratch: 0, units } };
}

test("a kernel that throws fails the program after its last step, and every later one", () => {
  const seen: number[] = [];
  const kernel = (value: number) => {
    seen.push(value);
    if (value === 2) throw new Error("trap");
  };
  const alone = new Member(newControl(), [kernel], 0, 1);
  alone.lead([stepOf(1, 1)], 0, 0);
  assert.throws(() => alone.lead([stepOf(1, 2), stepOf(1, 3)], 0, 0), (error: Error) => (error.cause as Error).message === "trap");
  assert.deepEqual(seen, [1, 2, 3]);
  assert.throws(() => alone.lead([stepOf(1, 4)], 0, 0), /failed/);
});

test("a program is at most MAX_STEPS long", () => {
  const alone = new Member(newControl(), [() => {}], 0, 1);
  alone.lead(new Array(MAX_STEPS).fill(stepOf(1, ...new Array<number>(20).fill(7))), 0, 0);
  assert.throws(() => alone.lead(new Array(MAX_STEPS + 1).fill(stepOf(1)), 0, 0), RangeError);
});

test("a longer list of calls runs all the same on several threads", async () => {
  const backend = await openWasm({ module: await runtime.wasmModule("kernels-simd128-shared"), device: "test", threads: 2, startThread: runtime.startThread });
  const count = MAX_STEPS * 2 + 3, cols = 5;
  const tensors = Array.from({ length: count + 1 }, (_, i) => backend.alloc({ name: `t${i}`, type: "f32", dims: [1, 1, 1, cols] }));
  const data = gaussArray("team", cols);
  backend.write(tensors[0], new Uint8Array(data.buffer));
  const size = { batch: 1, channels: 1, height: 1, width: cols, patchHeight: 1, patchWidth: cols };
  backend.run(await backend.compile(Array.from({ length: count }, (_, i) => ({ op: "patchify", ...size, x: tensors[i], y: tensors[i + 1] }))));
  assert.deepEqual(new Float32Array((await backend.read(tensors[count])).buffer), data);
  backend.dispose();
});

test("a thread that does not answer is given up, and with it the team", () => {
  const leader = new Member(newControl(), [() => {}], 0, 2, 1);
  assert.throws(() => leader.lead([stepOf(2)], 0, 0), /not answered for 1 seconds/);
  assert.throws(() => leader.lead([stepOf(2)], 0, 0), /failed before/);
});

/** A program whose kernel has more arguments than an array can have: nothing but the end of the thread comes of it. */
function kill(control: SharedArrayBuffer): void {
  new Float64Array(control, 32).set([1, 0, 1, 0, 0, 2 ** 32]);
  const words = new Int32Array(control);
  Atomics.add(words, 2, 1);
  Atomics.notify(words, 2);
}

test("a thread that dies makes the backend backend/lost", async () => {
  const control = newControl();
  let died: (reason: string) => void;
  const death = new Promise<string>((resolve) => (died = resolve));
  const startThread = (data: ThreadData, ended: (reason: string) => void) =>
    runtime.startThread({ ...data, control }, (reason) => {
      ended(reason);
      died(reason);
    });
  const backend = await openWasm({ module: await runtime.wasmModule("kernels-simd128-shared"), device: "test", threads: 2, startThread });
  const tensor = () => backend.alloc({ name: "t", type: "f32", dims: [1, 1, 1, 4] });
  const program = await backend.compile([{ op: "patchify", batch: 1, channels: 1, height: 1, width: 4, patchHeight: 1, patchWidth: 4, x: tensor(), y: tensor() }]);
  // Threads at work do not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  kill(control);
  assert.match(await death, /array length/);
  clearInterval(alive);
  assert.throws(() => backend.run(program), (error: IJepaError) => error.code === "backend/lost" && /a thread is gone \(.*array length/.test(error.message));
  backend.dispose();
});

test("a thread that cannot start makes the backend backend/unavailable", async () => {
  const startThread = (data: ThreadData, ended: (reason: string) => void) => runtime.startThread({ ...data, module: "none" }, ended);
  const opening = openWasm({ module: await runtime.wasmModule("kernels-simd128-shared"), device: "test", threads: 3, startThread });
  await assert.rejects(opening, (error: IJepaError) => error.code === "backend/unavailable" && /cannot compute on 3 threads/.test(error.message));
});
