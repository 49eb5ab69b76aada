/** The oracle: a list of op calls in, the words that every other backend must give out. Plain loops, one rounding at a time. */
import { checkCall, type CallOf, type OpCall, type OpName } from "../../ops/table.js";
import type { Backend, Program } from "../backend.js";
import { attention } from "./ops/attention.js";
import { layerNorm } from "./ops/layer-norm.js";
import { linear } from "./ops/linear.js";
import { patchify } from "./ops/patchify.js";
import { quantizeRows } from "./ops/quantize-rows.js";
import { OracleTensor, views } from "./tensor.js";

const RUN: { [K in OpName]: (call: CallOf<K>) => void } = {
  patchify,
  "quantize-rows": quantizeRows,
  linear,
  "layer-norm": layerNorm,
  attention,
};

/** The numeric contract as plain loops: slow, single-threaded, and the definition of every result bit. */
export function openOracle(): Backend {
  return {
    id: "oracle",
    device: "TypeScript, one rounding at a time",
    pass: { rows: 1024, tensorBytes: Infinity },
    synchronous: true,
    alloc: (desc) => new OracleTensor(desc),
    release: () => {},
    write: (dst, bytes, byteOffset = 0) => views(dst).u8.set(bytes, byteOffset),
    read: async (src) => views(src).u8.slice(),
    compile: async (calls): Promise<Program> => {
      calls.forEach(checkCall);
      return { calls };
    },
    run: (program) => {
      for (const call of program.calls) (RUN[call.op] as (call: OpCall) => void)(call);
    },
    dispose: () => {},
  };
}
