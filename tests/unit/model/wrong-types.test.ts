/** Every public function with values that it cannot take: what it says names them, and is not the engine's own message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as collections from "../../../ts-api/src/collections/index.js";
import * as library from "../../../ts-api/src/index.js";
import * as queue from "../../../ts-api/src/queue/index.js";
import * as transformers from "../../../ts-api/src/transformers/index.js";

const WRONG = [null, 5, true, {}, [], Symbol("wrong")];
/** What V8 says by itself. */
const OF_THE_ENGINE = /^Cannot (read|destructure|convert|mix|use)|is not (a function|iterable|a constructor|defined)|object null/;
/** Without a model they ask the Hub. */
const ASKING = /^(pipeline|.*[fF]rom_?[pP]retrained)$/;
/** Takes whatever a program throws. */
const ERRORS = /IJepaError/;

for (const [entry, exported] of Object.entries({ ijepa: library, "ijepa/collections": collections, "ijepa/queue": queue, "ijepa/transformers": transformers })) {
  test(`${entry}: wrong values are told in words`, async () => {
    const told: string[] = [];
    for (const [name, call] of Object.entries(exported).flatMap(callsOf)) {
      for (const value of WRONG) {
        const problem = await messageOf(() => call(value, value));
        if (problem !== undefined && OF_THE_ENGINE.test(problem)) told.push(`${name}(${value === null ? "null" : typeof value}): ${problem}`);
      }
    }
    assert.deepEqual(told, []);
  });
}

type Call = (...values: unknown[]) => unknown;

/** A function itself; of a class its constructor and static methods. */
function callsOf([name, value]: [string, unknown]): [string, Call][] {
  if (typeof value !== "function" || ERRORS.test(name) || ASKING.test(name)) return [];
  if (!Function.prototype.toString.call(value).startsWith("class")) return [[name, value as Call]];
  const methods = Object.getOwnPropertyNames(value).filter((key) => typeof (value as unknown as Record<string, unknown>)[key] === "function" && !ASKING.test(key));
  return [
    [`new ${name}`, (...values) => new (value as new (...all: unknown[]) => unknown)(...values)],
    ...methods.map((key): [string, Call] => [`${name}.${key}`, (...values) => (value as unknown as Record<string, Call>)[key](...values)]),
  ];
}

/** Of what it throws or rejects with, the first value of a generator included; undefined where it does neither. */
async function messageOf(call: () => unknown): Promise<string | undefined> {
  try {
    const result = await call();
    if (typeof result === "object" && result !== null && Symbol.asyncIterator in result && "next" in result) await (result as AsyncGenerator).next();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
