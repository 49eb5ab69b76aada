/**
 * Forms of a tile: the same steps on every number, written as different compilers need them. A race finds the fastest one
 * (ts-api/src/backends/wasm/race.ts). Twin: FORMS in ts-api/src/backends/wasm/kernels.ts.
 *
 * OFFSETS: several inputs a turn, splats at constant offsets. V8 from Turboshaft on, and where it makes vectors of 256 bits.
 * ADDRESSES: several inputs a turn, splats at addresses. JavaScriptCore splats in one instruction at offset 0, in three at others.
 * COLUMNS: eight rows a tile, weights splatted in memory (lib/tile-columns.ts): no splats at all. JavaScriptCore.
 * TURNS: one input at a time. V8's older TurboFan puts the steps of a sum side by side, so that all inputs of a turn are alive at once.
 */
export const OFFSETS: i32 = 0;
export const ADDRESSES: i32 = 1;
export const TURNS: i32 = 2;
export const COLUMNS: i32 = 3;
