/**
 * Splits calls to fit a device's bindings. A kernel sees a tensor through a binding, which may be smaller than the tensor. Then one call
 * becomes several, each for some rows, and if the weights are too large for some columns. No sum spans two rows or two columns, so no bit
 * depends on it.
 */
import { IJepaError } from "../../core/errors.js";
import { isInteger, PANEL } from "../../core/numerics.js";
import type { DeviceTensor } from "../../ops/contract.js";
import { patchCount } from "../../ops/patchify.js";
import type { CallOf, OpCall, OpName } from "../../ops/table.js";

/** A stretch of a tensor. */
export interface Part extends DeviceTensor {
  readonly whole: DeviceTensor;
  /** In bytes, a multiple of 256: the default minStorageBufferOffsetAlignment. */
  readonly offset: number;
}

/** A call, or a part of one. */
export type Piece = OpCall & {
  /** Elements of a row of y that are written; default cols. */
  width?: number;
  /** linear: elements from a row of y and residual to the next; default cols. */
  stride?: number;
};

interface Layout {
  rows: number;
  /** Calls may be split at multiples of it. */
  unit: number;
  /** Bytes of a row, for each tensor that is split by rows. */
  bytes: Record<string, number>;
}

/** 64 rows of anything that a linear takes or gives are whole multiples of 256 bytes. */
const ROW_UNIT = 64;
/** So are the weights, scales and biases of 16 panels, and 128 columns of y. */
const PANEL_UNIT = 16;
const PANELS = ["w", "scales", "bias"] as const;

const LAYOUTS: { [K in OpName]: (call: CallOf<K>) => Layout } = {
  patchify(call) {
    const patch = call.patchHeight * call.patchWidth;
    const bytes = { x: 4 * call.channels * call.height * call.width, y: 4 * patchCount(call) * call.channels * patch };
    return { rows: call.batch, unit: call.batch, bytes };
  },
  "quantize-rows": ({ format, rows, cols, inner }) => ({
    rows,
    unit: ROW_UNIT,
    bytes: { x: 4 * cols, y: format === "int8" ? inner : format === "split" ? 8 * inner : 4 * inner, blocks: inner / 4 },
  }),
  linear({ format, rows, cols, inner, residual, residualRows }) {
    const repeats = residual !== undefined && residualRows !== rows;
    return {
      rows,
      unit: repeats ? leastCommonMultiple(ROW_UNIT, residualRows!) : ROW_UNIT,
      bytes: { x: isInteger(format) ? inner : 4 * inner, blocks: inner / 4, y: 4 * cols, ...(repeats ? {} : { residual: 4 * cols }) },
    };
  },
  "layer-norm": ({ rows, cols }) => ({ rows, unit: ROW_UNIT, bytes: { x: 4 * cols, y: 4 * cols } }),
  attention({ batch, tokens, heads, headDim }) {
    const rows = batch * tokens, hidden = heads * headDim;
    return { rows, unit: rows, bytes: { x: 12 * hidden, y: 4 * hidden, probabilities: 4 * heads * tokens } };
  },
};

/**
 * @param most bytes of a binding
 * @throws IJepaError `backend/memory` for attention or patches of one image beyond that
 */
export function split(call: OpCall, most: number): Piece[] {
  return splitRows(call, most).flatMap((part) => (part.op === "linear" ? splitColumns(part, most) : [part]));
}

function splitRows(call: OpCall, most: number): OpCall[] {
  const tensors = call as unknown as Record<string, DeviceTensor | undefined>;
  const { rows, unit, bytes } = (LAYOUTS[call.op] as (call: OpCall) => Layout)(call);
  const names = Object.keys(bytes).filter((name) => tensors[name] !== undefined);
  if (names.every((name) => tensors[name]!.bytes <= most)) return [call];
  const widest = Math.max(...names.map((name) => bytes[name]));
  const step = rows * widest <= most ? rows : Math.floor(most / widest / unit) * unit;
  if (step === 0) throw tooWide(call.op, Math.min(unit, rows) * widest, most);
  return cuts(rows, step).map(({ first, count }) => {
    const parts = names.map((name) => [name, part(tensors[name]!, first * bytes[name], count * bytes[name])]);
    const sizes = step === rows ? {} : { rows: count, ...("residual" in bytes ? { residualRows: count } : {}) };
    return { ...call, ...sizes, ...Object.fromEntries(parts) } as OpCall;
  });
}

function splitColumns(call: CallOf<"linear">, most: number): Piece[] {
  const { cols, y, residual } = call, panels = Math.ceil(cols / PANEL);
  const panelBytes = Math.max(...PANELS.map((name) => (call[name]?.bytes ?? 0) / panels));
  if (panels * panelBytes <= most) return [call];
  const step = Math.floor(most / panelBytes / PANEL_UNIT) * PANEL_UNIT;
  if (step === 0) throw tooWide("linear", PANEL_UNIT * panelBytes, most);
  return cuts(panels, step).map(({ first, count }): Piece => {
    const panelsOf = (tensor: DeviceTensor) => part(tensor, (tensor.bytes / panels) * first, (tensor.bytes / panels) * count);
    const skipped = first * PANEL, from = (tensor: DeviceTensor) => part(tensor, 4 * skipped, tensor.bytes - 4 * skipped);
    return {
      ...call,
      cols: Math.min(count * PANEL, cols - skipped),
      stride: cols,
      w: panelsOf(call.w),
      scales: call.scales && panelsOf(call.scales),
      bias: panelsOf(call.bias),
      residual: residual && from(residual),
      y: from(y),
    };
  });
}

function cuts(total: number, step: number): { first: number; count: number }[] {
  return Array.from({ length: Math.ceil(total / step) }, (_, i) => ({ first: i * step, count: Math.min(step, total - i * step) }));
}

function part(tensor: DeviceTensor, offset: number, bytes: number): Part {
  const { whole = tensor, offset: before = 0 } = tensor as Partial<Part>;
  return { name: tensor.name, type: tensor.type, dims: tensor.dims, bytes, whole, offset: before + offset };
}

function leastCommonMultiple(a: number, b: number): number {
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y));
  return (a / divisor(a, b)) * b;
}

function tooWide(op: OpName, bytes: number, most: number): IJepaError {
  const message = `${op} needs ${bytes} bytes of a tensor in one binding; this device allows ${most}. Use a smaller image, or device wasm.`;
  return new IJepaError("backend/memory", message, { backend: "webgpu", bytes });
}
