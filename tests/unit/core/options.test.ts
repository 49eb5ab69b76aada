/** Names of options: unknown ones are refused, with the one that was probably meant. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IJepaError } from "../../../ts-api/src/core/errors.js";
import { checkType, didYouMean, nearest, readOptions } from "../../../ts-api/src/core/options.js";
import { show } from "../../../ts-api/src/core/show.js";

interface Options {
  pool?: string | null;
  top_k?: number;
  outputHiddenStates?: boolean;
}
const NAMES = { pool: true, top_k: true, outputHiddenStates: true } as const;
const read = (options: unknown) => readOptions<Options>(options as Options, NAMES, "extract");

test("the name that was meant", () => {
  const cases: [name: string, meant: string | undefined][] = [
    ["pooling", "pool"], ["pol", "pool"], ["opol", "pool"], ["POOL", "pool"], ["topK", "top_k"], ["top-k", "top_k"], ["topk", "top_k"],
    ["output_hidden_states", "outputHiddenStates"], ["outputHidenState", "outputHiddenStates"],
    ["temperature", undefined], ["x", undefined], ["", undefined], ["__proto__", undefined], ["toString", undefined],
  ];
  for (const [name, meant] of cases) assert.equal(nearest(name, Object.keys(NAMES)), meant, name);
  assert.equal(nearest("pool".repeat(1e6), ["pool"]), "pool");
  assert.equal(didYouMean("x", []), ". There is none.");
});

test("options are read by their names; null and undefined are absent", () => {
  assert.deepEqual(read({ pool: null, top_k: undefined, outputHiddenStates: false }), { outputHiddenStates: false });
  for (const nothing of [undefined, null, {}, { unknown: undefined }]) assert.deepEqual(read(nothing), {});
});

test("an unknown name is refused, and named with what there is", () => {
  for (const given of [{ pooling: "first" }, { pooling: null }, JSON.parse('{"__proto__": 1}') as object, Object.create({ pooling: 1 }) as object]) {
    assert.throws(() => read(given), (error) => error instanceof IJepaError && error.code === "input/value", JSON.stringify(given));
  }
  assert.throws(() => read({ pooling: "first" }), { message: 'extract has no option "pooling"; did you mean "pool"? The names are outputHiddenStates, pool, top_k.' });
  assert.throws(() => read({ temperature: 1 }), { message: 'extract has no option "temperature". The names are outputHiddenStates, pool, top_k.' });
  assert.throws(() => read({ ["x".repeat(1e6)]: 1 }), (error: Error) => error.message.length < 200);
});

test("wrong types are TypeErrors that say what came in", () => {
  const cases: [value: unknown, shown: string][] = [
    ["mean", '"mean"'], [7, "7"], [7n, "7n"], [true, "true"], [["pool"], '["pool"]'], [() => 1, "a function"], [Symbol("s"), "Symbol(s)"],
  ];
  for (const [value, shown] of cases) assert.throws(() => read(value), { name: "TypeError", message: `The options of extract must be an object, not ${shown}.` });
  assert.throws(() => checkType("pool", Promise.resolve(), "string"), { name: "TypeError", message: "pool must be a string, not a Promise." });
  assert.throws(() => checkType("normalize", 1, "boolean"), { name: "TypeError", message: "normalize must be true or false, not 1." });
  assert.throws(() => checkType("signal", {}, "AbortSignal"), { name: "TypeError", message: "signal must be an AbortSignal, not an object." });
  for (const absent of [undefined, null]) checkType("pool", absent, "string");
  checkType("signal", new AbortController().signal, "AbortSignal");
});

test("values in messages are short, and never fail", () => {
  const nested = JSON.parse("[".repeat(10_000) + "]".repeat(10_000)) as unknown;
  const cases: [value: unknown, shown: string][] = [
    [new Map(), "a Map"], [new Uint8Array(3), "a Uint8Array"], [new ArrayBuffer(1), "an ArrayBuffer"], [new URL("http://x"), "a URL"],
    [Object.create(null), "an object"], [nested, "an array of 1"], [[1, "a"], '[1, "a"]'], [undefined, "undefined"], [null, "null"],
    [new Proxy({}, { getPrototypeOf: () => { throw new Error("no"); } }), "an object"],
  ];
  for (const [value, shown] of cases) assert.equal(show(value), shown);
  assert.equal(show("a".repeat(100)), `"${"a".repeat(60)}..."`);
});
