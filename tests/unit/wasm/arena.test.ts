/** Addresses at the end of the WebAssembly memory. It is address space only: no page of it is touched but those of the tensors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runtime } from "#runtime";
import { Arena } from "../../../ts-api/src/backends/wasm/arena.js";
import { openOracle } from "../../../ts-api/src/backends/oracle/oracle.js";
import { openWasm } from "../../../ts-api/src/backends/wasm/wasm.js";
import { isIJepaError } from "../../../ts-api/src/core/errors.js";
import { ALL_CASES } from "../../conformance/cases.js";
import { product, type Case } from "../../conformance/case.js";
import { assertSameWords, runCase } from "../../conformance/run.js";

const FIRST = 1024, LAST = 2 ** 32 - 65536;

const refused = (work: () => unknown) => assert.throws(work, (error) => isIJepaError(error, "backend/memory"));

test("addresses go up to the last page, and never into it", { skip: reasonWithoutMemory() }, () => {
  for (const bytes of [2 ** 32, 2 ** 32 - FIRST, LAST - FIRST + 1, 2 ** 33]) refused(() => new Arena(false).alloc(bytes));
  const arena = new Arena(false), address = arena.alloc(LAST - FIRST - 128);
  assert.equal(address, FIRST);
  assert.equal(arena.alloc(64), LAST - 128);
  assert.equal(arena.alloc(64), LAST - 64);
  refused(() => arena.alloc(1));
  arena.release(LAST - 64, 64);
  assert.equal(arena.alloc(1), LAST - 64);
  assert.equal(arena.memory.buffer.byteLength, LAST);
});

/** A small case of each op, of more than a few vectors: what they compute is the suite's business, where they compute it is this one's. */
const elements = ({ tensors }: Case) => Object.values(tensors).reduce((sum, { dims }) => sum + product(dims), 0);
const smallest = new Map<string, Case>();
for (const testCase of ALL_CASES) {
  if (elements(testCase) < 500) continue;
  const [op] = testCase.id.split("/"), known = smallest.get(op);
  if (known === undefined || elements(testCase) < elements(known)) smallest.set(op, testCase);
}

for (const testCase of smallest.values()) {
  test(`the words of ${testCase.id} are the same across 2 GiB and in the last bytes there are`, { skip: reasonWithoutMemory() }, async () => {
    const module = await runtime.wasmModule("kernels-simd128"), want = await runCase(openOracle(), testCase);
    /** Runs the case after so many bytes of others; false where they leave too little room. */
    const fits = async (lead: number): Promise<boolean> => {
      const backend = await openWasm({ module, device: "the end of memory" });
      try {
        backend.alloc({ name: "lead", type: "u8", dims: [lead] });
        assertSameWords(testCase, "the end of memory", await runCase(backend, testCase), want);
        return true;
      } catch (error) {
        if (isIJepaError(error, "backend/memory")) return false;
        throw error;
      } finally {
        backend.dispose();
      }
    };
    assert.ok(await fits(2 ** 31 - FIRST - 512));
    // Halving the distance: the largest lead leaves nothing between the last buffer and the last page.
    let low = 2 ** 31, high = LAST - FIRST;
    while (high - low > 64) {
      const middle = Math.floor((low + high) / 128) * 64;
      if (await fits(middle)) low = middle;
      else high = middle;
    }
    assert.ok(low > LAST - 2 ** 26, `${testCase.id} needs ${LAST - low} bytes`);
  });
}

/** Small hosts give no 4 GiB of addresses. */
function reasonWithoutMemory(): string | false {
  try {
    new WebAssembly.Memory({ initial: LAST / 65536, maximum: LAST / 65536 });
    return false;
  } catch (error) {
    return `this host gives no memory of 4 GiB: ${String(error)}`;
  }
}
