/** The kernel table of the CPU: for each op its kernels, the calls that each can compute, and the arguments that a call becomes. */
import type { CodebookName } from "../../core/codebooks.js";
import { BLOCK, PANEL, roundUp } from "../../core/numerics.js";
import { ACTIVATIONS } from "../../ops/activation.js";
import { attentionScale } from "../../ops/attention.js";
import type { DeviceTensor } from "../../ops/contract.js";
import { patchCount } from "../../ops/patchify.js";
import type { CallOf, OpCall, OpName } from "../../ops/table.js";

/** A kernel call, ready to run: `kernel([shared,] ...args, [scratch,] begin, end)` over `units` of independent work. */
export interface Step {
  kernel: string;
  args: number[];
  /** Bytes that all threads share and that the next step reads; none for most kernels. */
  shared?: number;
  /** Bytes of scratch memory for each thread; 0 for kernels that take none. */
  scratch: number;
  units: number;
}

type Snake<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}_${Snake<Tail>}` : S;
type Address = (tensor: DeviceTensor | undefined) => number;

/**
 * The forms in which the tiles of a kernel are written, in the order of the numbers in assembly/lib/forms.ts. All give the same words;
 * which is the fastest depends on the engine.
 */
export const FORMS = ["offsets", "addresses", "turns", "columns"] as const;
export type Form = (typeof FORMS)[number];

/** A family of kernels has one race: int8 products; int4 products; tiles of exact f32 products; tiles of pinned ones. */
export type Family = "int8" | "int4" | "exact" | "pinned";

export interface WasmKernel<K extends OpName> {
  /** It starts with its op's. */
  name: `${Snake<K>}${"" | `_${string}`}`;
  /** The function of the module, if it differs from the name: kernels that differ only in their form share a function. */
  export?: string;
  /** Its name in the race of its family: kernels that are chosen together have the same name. */
  racer?: { family: Family; name: string };
  accepts(call: CallOf<K>): boolean;
  step(call: CallOf<K>, at: Address): Omit<Step, "kernel">;
  /**
   * The step before the kernel that lays the operands out as it reads them, in memory that the threads share. It is a step of its own so
   * that the threads share the work.
   */
  pack?: Pick<WasmKernel<K>, "name" | "step">;
}

/**
 * The same numbers as in assembly/ops/linear: rows of a unit of packing, rows at a time, rows beyond the last tile, inputs that are
 * unpacked at once.
 */
const PACK_ROWS = 12;
const COLUMNS_PACK_ROWS = 24;
const ROW_BLOCK = 264;
const TILE_SLACK = 8;
const FLOAT_BLOCK_BYTES = 256 * 32;
/** The same for the form `columns`: weights, then each weight four times. */
const COLUMNS_BLOCK_BYTES = 128 * 160;
/** The same numbers as in assembly/ops/linear/int4.ts and int8.ts, for each panel of a unit: sums, unpacked weights and scales. */
const INTEGER_PANEL_BYTES = 282 * 32 + 1280 * 17;
/** Most bytes of the keys and values of a head in the form `columns`: they stay in L2. */
const SPLATTED_BYTES = 2 ** 19;
/** Bytes of a value in the packed rows of floating-point formats. */
const FLOAT_BYTES = 4;

/** Sums of a block of rows. */
function sumBytes({ rows }: CallOf<"linear">): number {
  return (Math.min(rows, ROW_BLOCK) + TILE_SLACK) * 32;
}

/** Bytes of the packed rows. `width`: bytes of a value in them; `unit`: rows of a unit of packing. */
function packedBytes({ rows, inner }: CallOf<"linear">, width: number, unit = PACK_ROWS): number {
  return roundUp(rows, unit) * inner * width;
}

/** The step that packs the rows. */
function packer(name: `linear_pack_${string}`, width: number, unit = PACK_ROWS): Pick<WasmKernel<"linear">, "name" | "step"> {
  return {
    name,
    step: (call, at) => ({
      args: [at(call.x), ...(call.blocks === undefined ? [] : [at(call.blocks)]), call.rows, call.inner],
      shared: packedBytes(call, width, unit),
      scratch: 0,
      units: Math.ceil(call.rows / unit),
    }),
  };
}

interface IntegerLoop {
  format: "int8" | "int4";
  name: string;
  /** The kernel whose packed rows it reads. Default: its own. */
  rows?: string;
  /** Form of the loops that have several. */
  form?: Form;
  /** Bytes of a block of 32 values in the packed rows. */
  blockBytes: number;
  /** Panels of a unit. */
  panels: number;
  /** Rows of a unit of packing. Default: PACK_ROWS. */
  unit?: number;
}

function linearIntegers({ format, name, rows = `${format}_${name}`, form, blockBytes, panels, unit }: IntegerLoop): WasmKernel<"linear"> {
  const width = blockBytes / BLOCK, loop = form === "turns" ? `${name}_turns` : name;
  return {
    name: `linear_${format}_${loop}`,
    export: `linear_${format}_${name}`,
    racer: { family: format, name: `linear_${format}_${loop}` },
    accepts: (call) => call.format === format,
    pack: packer(`linear_pack_${rows}`, width, unit),
    step: (call, at) => ({
      args: [
        ...(form === undefined ? [] : [FORMS.indexOf(form)]), at(call.w), at(call.scales), ...(format === "int4" ? [call.group ?? BLOCK] : []), ...linearTail(call, at),
      ],
      shared: packedBytes(call, width, unit),
      scratch: INTEGER_PANEL_BYTES * panels,
      units: Math.ceil(panelsOf(call) / panels),
    }),
  };
}

/** A kernel in all forms of its tiles. The first is named like the export; the others add the name of their form. */
function inForms<K extends OpName>(
  kernel: Omit<WasmKernel<K>, "step" | "racer" | "export">, family: Family, step: (form: Form, call: CallOf<K>, at: Address) => Omit<Step, "kernel">,
): WasmKernel<K>[] {
  return FORMS.map((form, number) => ({
    ...kernel,
    name: number === 0 ? kernel.name : (`${kernel.name}_${form}` as typeof kernel.name),
    export: kernel.name,
    racer: { family, name: form },
    step: (call, at) => step(form, call, at),
  }));
}

function linearFloat(format: "fp32" | "bf16" | CodebookName): WasmKernel<"linear">[] {
  const family = format === "fp32" ? "pinned" : "exact", hasScales = format !== "fp32" && format !== "bf16";
  const kernel = { name: `linear_${format}` as const, accepts: (call: CallOf<"linear">) => call.format === format };
  return inForms<"linear">(kernel, family, (form, call, at) => ({
    args: [FORMS.indexOf(form), at(call.w), ...(hasScales ? [at(call.scales), call.group ?? BLOCK] : []), ...linearTail(call, at)],
    shared: packedBytes(call, FLOAT_BYTES, form === "columns" ? COLUMNS_PACK_ROWS : PACK_ROWS),
    scratch: (form === "columns" ? COLUMNS_BLOCK_BYTES : FLOAT_BLOCK_BYTES) + sumBytes(call),
    units: panelsOf(call),
  })).map((inForm) => ({
    ...inForm,
    pack: inForm.racer?.name === "columns" ? packer("linear_pack_columns", FLOAT_BYTES, COLUMNS_PACK_ROWS) : packer(`linear_pack_${family}`, FLOAT_BYTES),
  }));
}

function linearTail(call: CallOf<"linear">, at: Address): number[] {
  const { rows, cols, inner, residualRows = rows } = call;
  return [at(call.bias), at(call.residual), residualRows, at(call.y), rows, cols, inner, ACTIVATIONS[call.activation]];
}

function panelsOf(call: CallOf<"linear">): number {
  return roundUp(call.cols, PANEL) / PANEL;
}

function quantizeFloat(format: "fp32" | "bf16" | "split"): WasmKernel<"quantize-rows"> {
  return {
    name: `quantize_rows_${format}`,
    accepts: (call) => call.format === format,
    step: (call, at) => ({ args: [at(call.x), at(call.y), call.cols, call.inner], scratch: 0, units: call.rows }),
  };
}

function attentionKernel(format: "fp32" | "bf16"): WasmKernel<"attention">[] {
  const kernel = { name: `attention_${format}` as const, accepts: (call: CallOf<"attention">) => call.format === format };
  return inForms<"attention">(kernel, format === "fp32" ? "pinned" : "exact", (form, call, at) => {
    const { x, headMask, attentionMask, y, probabilities, tokens, heads, headDim } = call;
    // Splatted keys and values are read once for eight queries. If there are too many of them, other forms are faster.
    const splatted = form === "columns" && tokens * headDim * 32 <= SPLATTED_BYTES, copies = splatted ? 4 : 1;
    const queries = roundUp(tokens, 8) * headDim, keys = (tokens + TILE_SLACK) * headDim * copies, values = (headDim + TILE_SLACK) * tokens * copies;
    // Rows of eight: sums, mixed values, rows on their way, p.
    const columns = 32 + headDim + TILE_SLACK + headDim + roundUp(tokens, 32) + TILE_SLACK;
    return {
      args: [FORMS.indexOf(form === "columns" && !splatted ? "addresses" : form), ...[x, headMask, attentionMask, y, probabilities].map(at), tokens, heads, headDim, attentionScale(headDim)],
      scratch: 4 * (queries + keys + values + 8 * columns),
      units: call.batch * heads,
    };
  });
}

/** Every kernel of the CPU backend. A call uses the first one that the module has, that its race chose, and that accepts the call. */
export const KERNELS: { [K in OpName]: readonly WasmKernel<K>[] } = {
  patchify: [
    {
      name: "patchify",
      accepts: () => true,
      step: (call, at) => ({
        args: [at(call.x), at(call.y), call.channels, call.height, call.width, call.patchHeight, call.patchWidth],
        scratch: 0,
        units: call.batch * patchCount(call),
      }),
    },
  ],
  "quantize-rows": [
    quantizeFloat("fp32"),
    quantizeFloat("bf16"),
    quantizeFloat("split"),
    {
      name: "quantize_rows_int8",
      accepts: (call) => call.format === "int8",
      step: (call, at) => ({ args: [at(call.x), at(call.y), at(call.blocks), call.cols, call.inner], scratch: 128, units: call.rows }),
    },
  ],
  linear: [
    ...linearFloat("fp32"),
    ...linearFloat("bf16"),
    ...linearFloat("nf4"),
    ...linearFloat("fp4"),
    linearIntegers({ format: "int8", name: "halves", blockBytes: 40, panels: 1 }),
    linearIntegers({ format: "int8", name: "wide", rows: "int4_plain", blockBytes: 72, panels: 2 }),
    linearIntegers({ format: "int8", name: "plain", rows: "int4_plain", form: "addresses", blockBytes: 72, panels: 1 }),
    linearIntegers({ format: "int8", name: "plain", rows: "int4_plain", form: "turns", blockBytes: 72, panels: 1 }),
    linearIntegers({ format: "int4", name: "dot32", blockBytes: 40, panels: 1 }),
    linearIntegers({ format: "int4", name: "dot16_lanes", form: "offsets", blockBytes: 48, panels: 2 }),
    linearIntegers({ format: "int4", name: "dot16_lanes", form: "turns", blockBytes: 48, panels: 2 }),
    linearIntegers({ format: "int4", name: "dot16_pairs", blockBytes: 40, panels: 2 }),
    linearIntegers({ format: "int4", name: "dot16_columns", blockBytes: 40, panels: 1, unit: COLUMNS_PACK_ROWS }),
    linearIntegers({ format: "int4", name: "plain", form: "addresses", blockBytes: 72, panels: 1 }),
    linearIntegers({ format: "int4", name: "plain", form: "turns", blockBytes: 72, panels: 1 }),
  ],
  "layer-norm": [
    {
      name: "layer_norm",
      accepts: () => true,
      step: (call, at) => ({
        args: [at(call.x), at(call.gamma), at(call.beta), at(call.y), call.cols, Math.fround(1 / call.cols), Math.fround(call.eps)],
        scratch: roundUp(call.cols, 32) * 4,
        units: call.rows,
      }),
    },
  ],
  attention: [...attentionKernel("fp32"), ...attentionKernel("bf16")],
};

/** All kernels that can compute `call`, in the order of the table. */
export function kernelsFor<C extends OpCall>(call: C): WasmKernel<C["op"]>[] {
  const kernels = KERNELS[call.op] as unknown as readonly WasmKernel<C["op"]>[];
  return kernels.filter((kernel) => kernel.accepts(call as unknown as CallOf<C["op"]>));
}

/** The racers of the int8 and int4 products. */
export const INTEGER_LOOPS = KERNELS.linear.flatMap(({ racer }) => (racer?.family === "int8" || racer?.family === "int4" ? [racer.name] : []));

/** The function of the module that a kernel calls. */
export function exportOf(kernel: Pick<WasmKernel<OpName>, "name" | "export">): string {
  return kernel.export ?? kernel.name;
}

/** The racer to use of each family; any, if none is named. */
export type Chosen = Partial<Record<Family, string>>;

/** For `allow` of openWasm: false for the kernels of all other racers. */
export function allowing(chosen: Chosen): (kernel: string) => boolean {
  const left = new Set(
    Object.values(KERNELS).flat().filter(({ racer }) => racer !== undefined && (chosen[racer.family] ?? racer.name) !== racer.name).map(({ name }) => name as string),
  );
  return (kernel) => !left.has(kernel);
}

/** The racers of a family that a module has, in the order of the table. */
export function racersOf(module: WebAssembly.Module, family: Family): string[] {
  const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const kernels = Object.values(KERNELS).flat().filter((kernel) => kernel.racer?.family === family && exported.has(exportOf(kernel)));
  return [...new Set(kernels.map(({ racer }) => racer!.name))];
}
