/** Everything in the module that resizes images; the kernels of the ops are in index.ts. */
export { resample_columns, resample_rows } from "./image/resample";
