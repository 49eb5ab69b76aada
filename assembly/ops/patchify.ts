/**
 * patchify: pixels to one row a patch, in the order of a convolution's weights.
 *
 *   y[b * gridHeight * gridWidth + i * gridWidth + j][(c * patchHeight + p) * patchWidth + q]
 *     = x[b][c][i * patchHeight + p][j * patchWidth + q]
 *
 * x [batch][channels][height][width] f32; y dense; pixels beyond the last whole patch are dropped. Rows begin ... end - 1.
 * Exact class: copy. Twins: ts-api/src/backends/oracle/ops/patchify.ts, gpu/ops/patchify.wgsl.
 */
export function patchify(
  x: usize, y: usize, channels: i32, height: i32, width: i32, patchHeight: i32, patchWidth: i32, begin: i32, end: i32,
): void {
  const gridWidth = width / patchWidth, patches = (height / patchHeight) * gridWidth;
  const run = <usize>patchWidth << 2;
  y += <usize>begin * <usize>(channels * patchHeight) * run;
  for (let r = begin; r < end; r++) {
    const image = r / patches, patch = r % patches;
    const top = (patch / gridWidth) * patchHeight, left = (patch % gridWidth) * patchWidth;
    for (let c = 0; c < channels; c++) {
      const plane = (image * channels + c) * height;
      for (let p = 0; p < patchHeight; p++) {
        memory.copy(y, x + (<usize>((plane + top + p) * width + left) << 2), run);
        y += run;
      }
    }
  }
}
