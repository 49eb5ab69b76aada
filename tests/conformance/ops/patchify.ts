/** Cases of `patchify`: sizes of images and patches. */
import { floats, output, type Case } from "../case.js";

function patchifyCase(batch: number, channels: number, [height, width]: [number, number], [patchHeight, patchWidth]: [number, number]): Case {
  const id = `patchify/${batch}x${channels}x${height}x${width}-${patchHeight}x${patchWidth}`;
  const rows = batch * Math.floor(height / patchHeight) * Math.floor(width / patchWidth);
  return {
    id,
    tensors: { x: floats(id, [batch, channels, height, width]), y: output("f32", [rows, channels * patchHeight * patchWidth]) },
    call: ({ x, y }) => ({ op: "patchify", batch, channels, height, width, patchHeight, patchWidth, x, y }),
  };
}

export const patchifyCases: Case[] = [
  patchifyCase(1, 3, [32, 48], [16, 16]),
  patchifyCase(2, 1, [30, 30], [2, 2]),
  patchifyCase(2, 2, [35, 33], [8, 4]),
  patchifyCase(1, 3, [14, 14], [14, 14]),
];
