/** Every case of every op: what backends are compared on. */
import type { OpName } from "../../ts-api/src/ops/table.js";
import type { Case, Chain } from "./case.js";
import { chainsOf } from "./chains.js";
import { attentionCases } from "./ops/attention.js";
import { layerNormCases } from "./ops/layer-norm.js";
import { linearCases } from "./ops/linear.js";
import { patchifyCases } from "./ops/patchify.js";
import { quantizeRowsCases } from "./ops/quantize-rows.js";

/** The one list of cases, for conformance, digests and attestation. */
export const CASES: { [K in OpName]: Case[] } = {
  patchify: patchifyCases,
  "quantize-rows": quantizeRowsCases,
  linear: linearCases,
  "layer-norm": layerNormCases,
  attention: attentionCases,
};

export const ALL_CASES: Case[] = Object.values(CASES).flat();

/** Ops whose results are read only by quantize-rows, together with it: backends may fuse the two. */
export const CHAINS: Chain[] = ALL_CASES.flatMap(chainsOf);
