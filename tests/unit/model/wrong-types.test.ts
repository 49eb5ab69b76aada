/** Every public function, method and pipeline with values that it cannot take: what it says names them, and is not the engine's own message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as collections from "../../../ts-api/src/collections/index.js";
import * as library from "../../../ts-api/src/index.js";
import * as queue from "../../../ts-api/src/queue/index.js";
import * as server from "../../../ts-api/src/server/index.js";
import * as transformers from "../../../ts-api/src/transformers/index.js";
import * as tools from "../../../weights-tools/index.js";
import { MODELS } from "../../support/models.js";

type Call = (...values: unknown[]) => unknown;

const ENTRIES = { ijepa: library, "ijepa/collections": collections, "ijepa/queue": queue, "ijepa/server": server, "ijepa/transformers": transformers, "ijepa/weights-tools": tools };
const WRONG = [null, 5, true, {}, [], Symbol("wrong"), 10n, Promise.resolve(1), new Map(), () => {}];
/** What engines say by themselves. */
const OF_THE_ENGINE = /Cannot (read|destructure|convert|mix|use)|is not (a function|iterable|a constructor|defined)|object null|\[object|NaN|offset is out of bounds|Failed to execute/;
/** Without a model they ask the Hub; with one they are called below. */
const ASKING = /^(pipeline|.*[fF]rom_?[pP]retrained)$/;
/** They take whatever a program throws. */
const ERRORS = /IJepaError/;
/** They end what the others need, or are no part of the API. */
const LEFT_OUT = /^(constructor|dispose|close|stop|numericsOf)$/;

for (const [entry, exported] of Object.entries(ENTRIES)) {
  test(`${entry}: wrong values are told in words`, async () => {
    assert.deepEqual(await engineMessages(Object.entries(exported).flatMap(callsOf)), []);
  });
}

test("methods, pipelines, and second values: wrong ones are told in words", async () => {
  const tiny = `${MODELS}/tiny`, { pipeline, IJepaModel, DecodePool } = library, { FeatureEncoder, Collection } = collections;
  const pixels = { data: new Uint8Array(12), width: 2, height: 2, channels: 3 }, numbers = Float32Array.from({ length: 6 }, (_, i) => i);
  const extract = await pipeline("image-feature-extraction", tiny), model = await IJepaModel.fromPretrained(tiny), encoder = await FeatureEncoder.open(tiny);
  const collection = await Collection.inMemory(encoder.encoding), asTransformers = await transformers.pipeline("image-feature-extraction", tiny);
  const image = new transformers.RawImage(new Uint8Array(12), 2, 2, 3), { pixelValues } = extract.processor.preprocess(pixels);
  const after = (first: unknown, call: (...values: never[]) => unknown): Call => (...values) => (call as Call)(first, ...values);
  const calls: [string, Call][] = [
    ...methodsOf("Tensor", () => new library.Tensor("float32", numbers, [2, 3])),
    ...methodsOf("Tensor of ijepa/transformers", () => new transformers.Tensor("float32", numbers, [2, 3])),
    ...methodsOf("RawImage", () => image.clone()),
    ...methodsOf("IJepaModel", () => model),
    ...methodsOf("IJepaConfig", () => model.config),
    ...methodsOf("IJepaImageProcessor", () => extract.processor),
    ...methodsOf("DecodePool", () => new DecodePool({ threads: 0 })),
    ...methodsOf("FeatureEncoder", () => encoder),
    ...methodsOf("Collection", () => collection),
    ...methodsOf("server", () => server.createServer(extract)),
    ["extract", extract as Call],
    ["extract of ijepa/transformers", asTransformers as Call],
    ["its model", asTransformers.model as unknown as Call],
    ["its processor", asTransformers.processor as unknown as Call],
    ["extract, options", after(pixels, extract)],
    ["extract of ijepa/transformers, options", after(image, asTransformers)],
    ["forward, options", after({ pixelValues }, model.forward.bind(model))],
    ["preprocess, overrides", after(pixels, extract.processor.preprocess.bind(extract.processor))],
    ["pipeline, options", (options) => pipeline("image-feature-extraction", tiny, options as object)],
    ["pipeline of ijepa/transformers, options", (options) => transformers.pipeline("image-feature-extraction", tiny, options as never)],
    ["fromPretrained, options", after(tiny, IJepaModel.fromPretrained.bind(IJepaModel))],
    ["FeatureEncoder.open, options", after(tiny, FeatureEncoder.open.bind(FeatureEncoder))],
    ["embedImages, sources", after(extract, library.embedImages as never)],
    ["embedImages, options", (options) => library.embedImages(extract, [], options as object)],
    ["indexImages, encoder", after(collection, collections.indexImages as never)],
    ["indexImages, sources", (sources) => collections.indexImages(collection, encoder, sources as string[])],
    ["exportNames, options", after(collection, collections.exportNames)],
    ["exportFile, name", after(collection, collections.exportFile)],
    ["exportQdrant, URL", after(collection, collections.exportQdrant)],
    ["search, options", after(new Float32Array(encoder.encoding.width).fill(1), collection.search.bind(collection))],
    ["createServer, options", after(extract, server.createServer)],
    ["convertModel, folder", after(tiny, tools.convertModel)],
  ];
  try {
    assert.deepEqual(await engineMessages(calls), []);
  } finally {
    for (const one of [extract, model, encoder, asTransformers]) await one.dispose();
  }
});

test("what is no vector, image or configuration is not taken for one", async () => {
  const { RawImage, Tensor, softmax, dot, full } = transformers, image = new RawImage(new Uint8Array(12), 2, 2, 3);
  const calls: Call[] = [
    () => dot([], (() => {}) as never),
    () => softmax(Promise.resolve([1]) as never),
    () => full([2], [1] as never),
    () => new RawImage(null as never, 2, 2, 3),
    () => image.resize("100" as never, null),
    () => image.toTensor("WHC" as never),
    () => new Tensor("float32", [1, 2], [2]).clamp(0, undefined as never),
    () => library.IJepaImageProcessor.fromConfig(Promise.resolve({})),
    () => library.IJepaImageProcessor.fromConfig(new Map()),
    () => collections.tableLabels(null as never),
    () => collections.filesAsModel("model", null as never),
  ];
  for (const call of calls) assert.match((await messageOf(call)) ?? "it was taken", / not |must hold/, String(call));
});

/** The calls that answer with an engine's message, with it. */
async function engineMessages(calls: readonly [string, Call][]): Promise<string[]> {
  const told: string[] = [];
  for (const [name, call] of calls) {
    for (const value of WRONG) {
      const problem = await messageOf(() => call(value, value));
      if (problem !== undefined && OF_THE_ENGINE.test(problem)) told.push(`${name}(${value === null ? "null" : typeof value}): ${problem}`);
    }
  }
  return told;
}

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

/** The methods of an object, its class and the classes above, each called on an object of its own. */
function methodsOf(name: string, make: () => object): [string, Call][] {
  const names = new Set<string>(), one = make();
  for (let level = one; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) for (const key of Object.getOwnPropertyNames(level)) names.add(key);
  const methods = [...names].filter((key) => !LEFT_OUT.test(key) && typeof (one as Record<string, unknown>)[key] === "function");
  return methods.map((key) => [`${name}: ${key}`, (...values) => (make() as Record<string, Call>)[key](...values)]);
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
