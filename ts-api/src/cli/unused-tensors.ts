/** The warning about tensors of a checkpoint that the model does not use. */
import type { CliHost } from "../runtime/cli-host.js";
import { countOf, printable } from "./text.js";

/** Parts that the files of any model may have for other classes: nobody needs to hear of them. */
const OTHER_CLASSES = /^(?:ijepa\.)?(?:embeddings\.mask_token$|pooler\.|classifier\.)/;
const SHOWN = 5;

/** A model, as far as this matters. */
export interface LoadedModel {
  readonly unusedTensors: readonly string[];
}

/** Says on stderr which tensors of the checkpoint the model leaves unused, as Hugging Face does. */
export async function warnOfUnused({ unusedTensors }: LoadedModel, { stderr }: CliHost): Promise<void> {
  const names = unusedTensors.filter((name) => !OTHER_CLASSES.test(name));
  if (names.length === 0) return;
  const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : "";
  const shown = names.slice(0, SHOWN).map((name) => printable(name.slice(0, 100))).join(", ");
  await stderr.write(`ijepa: the model does not use ${countOf(names.length, "tensor")} of its checkpoint: ${shown}${more}\n`);
}
