/** Detects the tool that a program was built with, for messages, as far as it can be seen at run time. */
declare const __webpack_require__: unknown;

/** The page of the package's documents about build tools. */
export const BUILD_TOOLS_PAGE = "docs/build-tools.md";

const BY_ADDRESS: readonly (readonly [RegExp, string])[] = [
  [/\/\.vite\/deps/, "Vite's dev server"],
  [/\/\$bunfs\/|\/~BUN\//, "bun build --compile"],
  [/\/_next\/|\/\.next\//, "Next.js"],
  [/\/dist\/(browser|node|chunks|workerd)\/[^/]*$|\/build\/ts-api\//, ""],
];

/** Such as "Next.js"; undefined if the code is unchanged from the package. */
export function buildTool(address: string | undefined = import.meta.url): string | undefined {
  if (typeof __webpack_require__ !== "undefined") return "webpack";
  if (address === undefined || address === "") return "a bundler, as CommonJS";
  // Parcel writes the address of the source, which is not a page's.
  if (address.startsWith("file:") && /^https?:/.test(globalThis.location?.href ?? "")) return "a bundler";
  const known = BY_ADDRESS.find(([pattern]) => pattern.test(address));
  return known === undefined ? "a bundler" : known[1] || undefined;
}

/** The end of a message about a file that could not be loaded. */
export function whereToLook(): string {
  const tool = buildTool();
  return `${tool === undefined ? "" : `This program was built by ${tool}. `}See ${BUILD_TOOLS_PAGE} in the package for what each build tool needs.`;
}

/** The same for programs built with a tool; empty for others. */
export function whereToLookWhenBuilt(): string {
  return buildTool() === undefined ? "" : ` ${whereToLook()}`;
}

/**
 * The reason why a thread did not start whose program is missing.
 * @param name of the program's file, which lies beside the code
 */
export function missingProgram(name: string, address: string | undefined = import.meta.url): string {
  const beside = address === undefined || address === "" ? "" : `, beside ${address}`;
  return `its program cannot be loaded (${name}${beside}). ${whereToLook().replace(/\.$/, "")}`;
}
