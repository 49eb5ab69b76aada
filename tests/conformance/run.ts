/**
 * Runs one case on one backend, with canaries around every output. The suite does not know the backend's name: it gets an
 * open one.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Backend } from "../../ts-api/src/backends/backend.js";
import { ELEMENT_BYTES, type DeviceTensor } from "../../ts-api/src/ops/contract.js";
import { callsOf, product, type Case, type Chain } from "./case.js";

/** Bytes after an output, and beside it, that nothing may touch. */
const GUARD_BYTES = 256;
const CANARY = 0xa5;

export type Outputs = Map<string, Uint8Array>;

export async function runCase(backend: Backend, testCase: Case | Chain): Promise<Outputs> {
  const tensors: Record<string, DeviceTensor> = {};
  const guards: DeviceTensor[] = [];
  const guard = () => {
    const tensor = backend.alloc({ name: "guard", type: "u8", dims: [GUARD_BYTES] });
    backend.write(tensor, new Uint8Array(GUARD_BYTES).fill(CANARY));
    guards.push(tensor);
  };
  for (const [name, { type, dims, bytes, scratch }] of Object.entries(testCase.tensors)) {
    guard();
    const extra = bytes === undefined ? GUARD_BYTES / ELEMENT_BYTES[type] : 0;
    tensors[name] = backend.alloc({ name, type, dims: extra === 0 ? dims : [product(dims) + extra], ...(scratch ? { scratch } : {}) });
    backend.write(tensors[name], bytes ?? new Uint8Array(tensors[name].bytes).fill(CANARY));
  }
  guard();

  backend.run(await backend.compile(callsOf(testCase, tensors)));

  const outputs: Outputs = new Map();
  for (const [name, { type, dims, bytes, scratch }] of Object.entries(testCase.tensors)) {
    const after = await backend.read(tensors[name]);
    if (bytes !== undefined) {
      assert.deepEqual(after, bytes, `${testCase.id}: input ${name} was written`);
      continue;
    }
    const size = product(dims) * ELEMENT_BYTES[type];
    assert.ok(after.subarray(size).every((byte) => byte === CANARY), `${testCase.id}: bytes after output ${name} were written`);
    if (!scratch) outputs.set(name, after.slice(0, size));
  }
  for (const tensor of guards) {
    assert.ok((await backend.read(tensor)).every((byte) => byte === CANARY), `${testCase.id}: bytes between tensors were written`);
  }
  for (const tensor of [...guards, ...Object.values(tensors)]) backend.release(tensor);
  return outputs;
}

/** First 32 hex digits of the SHA-256 over all outputs, in the order of their names in the case. */
export function digestOutputs(outputs: Outputs): string {
  const sha = createHash("sha256");
  for (const bytes of outputs.values()) sha.update(bytes);
  return sha.digest("hex").slice(0, 32);
}

/** Throws with the first differing coordinates, both words and the command that runs only this case. */
export function assertSameWords(testCase: Case | Chain, kernel: string, actual: Outputs, expected: Outputs): void {
  for (const [name, want] of expected) {
    const got = actual.get(name)!;
    const { type, dims } = testCase.tensors[name];
    const step = ELEMENT_BYTES[type];
    let differ = 0, first = -1;
    for (let at = 0; at < want.length; at += step) {
      if (Buffer.compare(got.subarray(at, at + step), want.subarray(at, at + step)) === 0) continue;
      differ++;
      if (first < 0) first = at / step;
    }
    if (differ === 0) continue;
    const word = (bytes: Uint8Array) => `0x${Buffer.from(bytes.slice(first * step, (first + 1) * step)).reverse().toString("hex")}`;
    assert.fail(
      `${testCase.id} on ${kernel}: ${differ} of ${want.length / step} words of ${name} differ, first at [${coordinates(first, dims)}]: ` +
        `${word(got)}, the oracle has ${word(want)}. Only this case: node --test --test-name-pattern="${testCase.id}" build/tests/conformance`,
    );
  }
}

function coordinates(index: number, dims: readonly number[]): string {
  const place: number[] = [];
  for (const dim of [...dims].reverse()) {
    place.unshift(index % dim);
    index = Math.floor(index / dim);
  }
  return place.join(", ");
}

/** An output that is mostly zero or not finite says little; only cases marked `edge` may be so. */
export function assertMeaningful(testCase: Case | Chain, outputs: Outputs): void {
  if (testCase.edge) return;
  for (const [name, bytes] of outputs) {
    const { type } = testCase.tensors[name];
    const values = Array.from(type === "f32" ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) : bytes);
    const useful = values.filter((v) => v !== 0 && Number.isFinite(v)).length;
    assert.ok(useful * 4 > values.length, `${testCase.id}: only ${useful} of ${values.length} values of ${name} are finite and not zero`);
  }
}
