/** Tensors that a model leaves unused are named on stderr, once, and never on stdout. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { serializeSafetensors } from "../../ts-api/src/weights/safetensors/writer.js";
import { f32, inFolder, SMALL, smallTensors } from "../unit/weights/helpers.js";
import { ijepa, SMALL as PHOTO } from "./helpers.js";

test("a head is left out with a note; parts of other classes without one", async () => {
  const zeros = (...shape: number[]) => f32(shape, new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0));
  const tensors = smallTensors();
  tensors.set("embeddings.patch_embeddings.projection.weight", zeros(8, 3, 4, 4));
  tensors.set("classifier.weight", zeros(2, 8)).set("embeddings.mask_token", zeros(1, 1, 8));
  for (let i = 0; i < 7; i++) tensors.set(`head.${i}.weight\u001b`, zeros(1));
  const files = {
    "config.json": JSON.stringify({ ...SMALL.toJSON(), num_channels: 3 }),
    "preprocessor_config.json": JSON.stringify({ size: { height: 8, width: 8 } }),
    "model.safetensors": serializeSafetensors(tensors),
  };
  await inFolder(files, async (folder) => {
    const { code, stdout, stderr } = await ijepa(["embed", PHOTO, "--model", folder, "--json"]);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, `ijepa: the model does not use 7 tensors of its checkpoint: ${[0, 1, 2, 3, 4].map((i) => `head.${i}.weight\\x1b`).join(", ")}, and 2 more\n`);
    JSON.parse(stdout);
  });
});
