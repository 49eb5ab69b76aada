/** patchify as plain loops: pixels to one row a patch. Twins: assembly/ops/patchify.ts, gpu/ops/patchify.wgsl. */
import { patchCount, type PatchifyCall } from "../../../ops/patchify.js";
import { views } from "../tensor.js";

export function patchify(call: PatchifyCall): void {
  const { batch, channels, height, width, patchHeight, patchWidth } = call;
  const x = views(call.x).f32, y = views(call.y).f32;
  const patches = patchCount(call), gridWidth = Math.floor(width / patchWidth);
  let at = 0;
  for (let r = 0; r < batch * patches; r++) {
    const image = Math.floor(r / patches), patch = r % patches;
    const top = Math.floor(patch / gridWidth) * patchHeight, left = (patch % gridWidth) * patchWidth;
    for (let c = 0; c < channels; c++) {
      const plane = (image * channels + c) * height;
      for (let p = 0; p < patchHeight; p++) {
        for (let q = 0; q < patchWidth; q++) y[at++] = x[(plane + top + p) * width + left + q];
      }
    }
  }
}
