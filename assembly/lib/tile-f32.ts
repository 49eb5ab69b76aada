/**
 * Products of a few rows with one panel of 8 columns, in f32, in order of k.
 *
 *   acc[r][c] += x[k][r] * w[k][c]      r < R, c < 8, k = 0 ... count - 1
 *
 * The R rows stand side by side, x [count][R] (lib/pack-rows.ts); w [count][8]; acc [R][8]. `first` starts from +0 instead of acc.
 * `form`: lib/forms.ts, without COLUMNS; OFFSETS and ADDRESSES take four inputs a turn and leave what is over to TURNS.
 *
 * tileExact: every product is exact in f32 (bf16 x bf16), so fused or not is the same. 6 rows: 12 sums, 2 weights, 1
 * value fill the 15 registers. tilePinned: product and sum round one by one; products need registers, so 4 rows.
 */
import { ADDRESSES, TURNS } from "./forms";
import { fusedAddresses, fusedOffsets, fusedTurns } from "./tile-fused";
import { pinnedAddresses, pinnedOffsets, pinnedTurns } from "./tile-pinned";

export const EXACT_ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
export const PINNED_ROWS: i32 = 4;

@inline
export function tileExact(form: i32, acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  if (ASC_FEATURE_RELAXED_SIMD) tileFused(form, acc, x, w, count, first);
  else tilePinned(form, acc, x, w, count, first);
}

function tileFused(form: i32, acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  const fours = form == TURNS ? 0 : count & ~3;
  if (fours) {
    if (form == ADDRESSES) fusedAddresses(acc, x, w, fours, first);
    else fusedOffsets(acc, x, w, fours, first);
    if (fours == count) return;
  }
  fusedTurns(acc, x + <usize>(fours * EXACT_ROWS << 2), w + (<usize>fours << 5), count - fours, first && fours == 0);
}

export function tilePinned(form: i32, acc: usize, x: usize, w: usize, count: i32, first: bool): void {
  const fours = form == TURNS ? 0 : count & ~3;
  if (fours) {
    if (form == ADDRESSES) pinnedAddresses(acc, x, w, fours, first);
    else pinnedOffsets(acc, x, w, fours, first);
    if (fours == count) return;
  }
  pinnedTurns(acc, x + <usize>(fours * PINNED_ROWS << 2), w + (<usize>fours << 5), count - fours, first && fours == 0);
}
