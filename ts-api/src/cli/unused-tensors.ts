/** The warning about tensors of a checkpoint that the model does not use. */
import type { CliHost } from "../runtime/cli-host.js";
import { countOf, printable } from "./text.js";

/** Parts that a model's files may have for other model classes: no warning is needed. */
const OTHER_CLASSES = /^(?:ijepa\.)?(?:embeddings\.mask_token$|pooler\.|classifier\.)/;
const SHOWN = 5;

/** The properties of a model that are needed here. */
export interface LoadedModel {
  readonly unusedTensors: readonly string[];
}

/** Prints on stderr which tensors of the checkpoint the model does not use, as Hugging Face does. */
export async function warnOfUnused({ unusedTensors }: LoadedModel, { stderr }: CliHost): Promise<void> {
  const names = unusedTensors.filter((name) => !OTHER_CLASSES.test(name));
  if (names.length === 0) return;
  const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : "";
  const shown = names.slice(0, SHOWN).map((name) => printable(name.slice(0, 100))).join(", ");
  await stderr.write(`ijepa: the model does not use ${countOf(names.length, "tensor")} of its checkpoint: ${shown}${more}\n`);
}
