/** Checks the project's promise: runs one model on one input with every variant of this machine, op by op, and compares. */
import { runtime } from "#runtime";
import { variantsHere, type AbsentVariant, type Variant } from "../backends/variants.js";
import { IJepaError, throwIfAborted } from "../core/errors.js";
import { digestOf, DTYPES, NUMERICS_VERSION, type Dtype } from "../core/numerics.js";
import { checkList, readOptions, wrongType, type OptionNames } from "../core/options.js";
import { IJepaImageProcessor } from "../image/processor.js";
import { loadImage, type ImageSource } from "../image/source.js";
import type { IJepaConfig } from "../config/config.js";
import { Encoder } from "../encoder/encoder.js";
import type { Pixels } from "../encoder/pixels.js";
import { loadEncoder } from "../encoder/place-weights.js";
import { gpuOf, partsOf } from "../loading/pack-checkpoint.js";
import { openCheckpoint, type Checkpoint } from "../weights/checkpoint.js";
import { modelAndOptions, type ModelRef } from "../weights/model-folder.js";
import { SOURCE_OPTIONS, type SourceOptions } from "../weights/source-options.js";
import { compareResults, type Difference } from "./difference.js";
import { traced, type TracedResult, type TraceOptions } from "./trace.js";

/** Options of `verify`. */
export interface VerifyOptions extends SourceOptions {
  /** Default: all, or the one of packed files. */
  dtypes?: readonly Dtype[];
  /** Default: numbers made from a seed, for which the package has recorded digests of its own model. */
  image?: ImageSource;
  /** Called for every row as it is finished. */
  onRow?: (row: VerifyRow) => void;
  /** Default: all of this machine. The others are compared with the first. */
  variants?: readonly Variant[];
}

/** One variant in one dtype, compared with the first. */
export interface VerifyRow {
  /** Name of the variant, such as "wasm relaxed dot16_lanes". */
  variant: string;
  /** The device in words. */
  device: string;
  /** Weight format of this run. */
  dtype: Dtype;
  /** SHA-256 of the last hidden state. */
  digest: string;
  /** Whether every result of every op has the words of the first variant. */
  same: boolean;
  /** Where the first differing op differs. */
  difference: Difference | undefined;
}

/** What `verify` found. */
export interface VerifyReport {
  /** Version of the numeric contract. */
  numerics: string;
  /** The engine and its version, such as "node 24.21.0". */
  runtime: string;
  /** Folder, URL or name of the model. */
  model: string;
  /** One for each variant and dtype, in the order in which they ran. */
  rows: VerifyRow[];
  /** Variants that this machine cannot run, with the reason. */
  absent: AbsentVariant[];
  /** The digests recorded in the package, if the model and input are those they were recorded for. */
  recorded: { dtype: Dtype; expected: string; same: boolean }[];
  /** All rows are the same, and as recorded. */
  same: boolean;
}

interface Outcome {
  device: string;
  digest: string;
  /** Of every call alone. */
  results: TracedResult[];
  /** Of pairs of calls, on backends that have kernels for them. */
  pairs: TracedResult[];
}

/** Indices of results whose bytes are kept. */
interface Keep {
  single?: number | undefined;
  pair?: number | undefined;
}

const NAMES: OptionNames<VerifyOptions> = { ...SOURCE_OPTIONS, dtypes: true, image: true, onRow: "function", variants: true };

/**
 * Runs one image through every variant and dtype of this machine and compares every result of every op, word for word.
 *
 * @param given as IJepaModel.fromPretrained
 * @throws IJepaError as loading a model and an image; `input/value` for unknown options; `backend/*` when a variant that is present
 *   fails. TypeError for options of a wrong type
 */
export async function verify(given: ModelRef | URL | undefined, options?: VerifyOptions | null): Promise<VerifyReport>;
/** Verifies this machine with the model of the package. Throws the same errors as with a named model. */
export async function verify(options?: VerifyOptions): Promise<VerifyReport>;
export async function verify(given?: ModelRef | URL | VerifyOptions, givenOptions?: VerifyOptions | null): Promise<VerifyReport> {
  const [ref = runtime.defaultModel, rest] = modelAndOptions(given, givenOptions), options = checkOptions(rest);
  const { image, signal, onRow = () => {} } = options;
  const { present, absent } = options.variants === undefined ? await variantsHere() : { present: options.variants, absent: [] };
  const checkpoint = await openCheckpoint(ref, options);
  try {
    const { config, packed } = checkpoint;
    const { dtypes = packed === undefined ? DTYPES : [packed.dtype] } = options;
    const pixels = image === undefined ? seededPixels(config) : await pixelsOf(image, checkpoint, signal);
    const rows: VerifyRow[] = [];
    for (const dtype of dtypes) {
      const run = (variant: Variant, keep?: Keep) => runVariant(variant, checkpoint, dtype, pixels, signal, keep);
      const expected = await run(present[0]);
      for (const variant of present) {
        const outcome = variant === present[0] ? expected : await run(variant);
        const wrong = firstWrong(outcome, expected.results);
        let difference: Difference | undefined;
        if (wrong !== undefined) {
          const again = await run(variant, wrong), truth = await run(present[0], { single: wrong.of });
          const actual = wrong.pair === undefined ? again.results[wrong.single!] : again.pairs[wrong.pair];
          difference = compareResults(actual, truth.results[wrong.of], config.numHiddenLayers);
        }
        const row: VerifyRow = { variant: variant.name, device: outcome.device, dtype, digest: outcome.digest, same: difference === undefined, difference };
        rows.push(row);
        onRow(row);
      }
    }
    const recorded = image === undefined && ref === runtime.defaultModel ? await compareRecorded(checkpoint, rows) : [];
    const same = rows.every((row) => row.same) && recorded.every((entry) => entry.same);
    return { numerics: NUMERICS_VERSION, runtime: runtime.name, model: typeof ref === "string" ? ref : ref.name, rows, absent, recorded, same };
  } finally {
    await checkpoint.close();
  }
}

function checkOptions(given: VerifyOptions | undefined): VerifyOptions {
  const options = readOptions(given, NAMES, "verify"), { dtypes = [], variants = [] } = options;
  checkList("dtypes", dtypes, `a list of ${DTYPES.join(", ")}`);
  const unknown = dtypes.find((dtype) => !DTYPES.includes(dtype));
  if (unknown !== undefined) throw wrongType("Each of dtypes", `one of ${DTYPES.join(", ")}`, unknown);
  checkList("variants", variants, "a list of variants");
  return options;
}

/** The first result that differs: its index, and that of the expected one. */
function firstWrong({ results, pairs }: Outcome, expected: readonly TracedResult[]): (Keep & { of: number }) | undefined {
  const find = (of: readonly TracedResult[]) =>
    of.map(({ run, index, buffer, digest }, at) => {
      const place = expected.findIndex((other) => other.run === run && other.index === index && other.buffer === buffer);
      return { at, of: place, same: expected[place].digest === digest };
    }).find(({ same }) => !same);
  const single = find(results);
  if (single !== undefined) return { single: single.at, of: single.of };
  const pair = find(pairs);
  return pair === undefined ? undefined : { pair: pair.at, of: pair.of };
}

async function runVariant(
  variant: Variant, checkpoint: Checkpoint, dtype: Dtype, pixels: Pixels, signal: AbortSignal | undefined, keep: Keep = {},
): Promise<Outcome> {
  throwIfAborted(signal, `verifying ${variant.name}`);
  const opened = await variant.open();
  try {
    const { config } = checkpoint;
    const weights = await loadEncoder(opened, partsOf(checkpoint, { dtype, ...gpuOf(opened) }), { signal });
    const trace = async (options: TraceOptions) => {
      const tracer = traced(opened, options);
      const encoder = new Encoder(tracer.backend, config, dtype, weights, runtime.yieldToHost);
      const { lastHiddenState } = await encoder.encode(pixels, { signal });
      return { digest: await digestOf(lastHiddenState), results: await tracer.results() };
    };
    const single = await trace({ keep: keep.single });
    // With the pairs' kernels: those that a model runs.
    const pairs = opened.id === "webgpu" ? await trace({ pairs: true, keep: keep.pair }) : undefined;
    return { device: opened.device, digest: (pairs ?? single).digest, results: single.results, pairs: pairs?.results ?? [] };
  } finally {
    opened.dispose();
  }
}

/** One image of multiples of 2^-14 from -2 to 2, from an integer hash: the same everywhere, without a decoder. */
export function seededPixels(config: IJepaConfig): Pixels {
  const { numChannels, imageHeight: height, imageWidth: width } = config;
  const data = Float32Array.from({ length: numChannels * height * width }, (_, i) => {
    const hash = Math.imul(i + 1, 0x9e3779b1);
    return (((hash ^ (hash >>> 15)) & 0xffff) - 0x8000) / 0x4000;
  });
  return { data, images: 1, height, width };
}

async function pixelsOf(image: ImageSource, { preprocessorConfig, config }: Checkpoint, signal: AbortSignal | undefined): Promise<Pixels> {
  const size = { height: config.imageHeight, width: config.imageWidth };
  const processor = preprocessorConfig === undefined ? new IJepaImageProcessor({ size }) : IJepaImageProcessor.fromConfig(preprocessorConfig);
  const { data, dims } = processor.preprocess(await loadImage(image, { signal })).pixelValues;
  if (dims[2] !== size.height || dims[3] !== size.width) {
    throw new IJepaError("input/shape", `The image processor makes ${dims[2]}*${dims[3]} pixels, the model takes ${size.height}*${size.width}.`, {
      name: "image",
      expected: `${size.height}*${size.width}`,
      actual: dims,
    });
  }
  return { data, images: 1, height: size.height, width: size.width };
}

/** digests.json of the package's model: dtype to the digest for `seededPixels`. */
async function compareRecorded(checkpoint: Checkpoint, rows: readonly VerifyRow[]): Promise<VerifyReport["recorded"]> {
  const bytes = await checkpoint.file("digests.json");
  if (bytes === undefined) throw new IJepaError("io/read", `${checkpoint.ref} has no digests.json: the model of the package is not whole.`, { path: checkpoint.ref });
  const recorded = JSON.parse(new TextDecoder().decode(bytes)) as Record<Dtype, string>;
  const first = rows.filter((row, i) => rows.findIndex(({ dtype }) => dtype === row.dtype) === i);
  return first.map(({ dtype, digest }) => ({ dtype, expected: recorded[dtype], same: recorded[dtype] === digest }));
}
