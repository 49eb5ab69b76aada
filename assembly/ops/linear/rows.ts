/** Numbers of rows that a linear packs and multiplies at a time. Twin: ts-api/src/backends/wasm/kernels.ts. */

/** Rows of a unit of packing: whole tiles of 4 and of 6. */
export const PACK_ROWS: i32 = 12;
/** The same for tiles of 8. */
export const COLUMNS_PACK_ROWS: i32 = 24;
/** Rows that are multiplied with a panel at a time: whole units, and enough for all rows of one image of 256 tokens. */
export const ROW_BLOCK: i32 = 264;
/** Rows of memory for sums: one tile more than there are rows. */
export const TILE_SLACK: i32 = 8;
