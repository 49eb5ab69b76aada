/** The package's build for browsers. This is the one place that says where it is. */
export * from "../../dist/browser/index.js";
