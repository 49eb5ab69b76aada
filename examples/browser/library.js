/** The package's build for browsers. This file and library-collections.js say where it is, and no other. */
export * from "../../dist/browser/index.js";
