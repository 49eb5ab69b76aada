/** Everything in the module that searches collections of features; the kernels of the ops are in index.ts. */
export { scan, scan_four } from "./search/scan";
