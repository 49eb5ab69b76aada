/** The package's collections, beside library.js. */
export * from "../../dist/browser/collections.js";
