/** What a program was built with, for messages: as far as it can be seen while it runs. */
declare const __webpack_require__: unknown;

/** The page of the package's documents for whoever builds programs with it. */
export const BUILD_TOOLS_PAGE = "docs/build-tools.md";

const BY_ADDRESS: readonly (readonly [RegExp, string])[] = [
  [/\/\.vite\/deps/, "Vite's dev server"],
  [/\/\$bunfs\/|\/~BUN\//, "bun build --compile"],
  [/\/_next\/|\/\.next\//, "Next.js"],
  [/\/dist\/(browser|node|chunks|workerd)\/[^/]*$|\/build\/ts-api\//, ""],
];

/** Such as "Next.js"; undefined where the code is as the package has it. */
export function buildTool(address: string | undefined = import.meta.url): string | undefined {
  if (typeof __webpack_require__ !== "undefined") return "webpack";
  if (address === undefined || address === "") return "a bundler, as CommonJS";
  // Parcel writes the address of the source, which is no page's.
  if (address.startsWith("file:") && /^https?:/.test(globalThis.location?.href ?? "")) return "a bundler";
  const known = BY_ADDRESS.find(([pattern]) => pattern.test(address));
  return known === undefined ? "a bundler" : known[1] || undefined;
}

/** The end of a message about a file that could not be had. */
export function whereToLook(): string {
  const tool = buildTool();
  return `${tool === undefined ? "" : `This program was built by ${tool}. `}See ${BUILD_TOOLS_PAGE} in the package for what each build tool needs.`;
}

/** The same where a build tool has been at work; elsewhere nothing. */
export function whereToLookWhenBuilt(): string {
  return buildTool() === undefined ? "" : ` ${whereToLook()}`;
}

/**
 * Why a thread does not start whose program is not there.
 * @param name of the program's file, which lies beside the code
 */
export function missingProgram(name: string, address: string | undefined = import.meta.url): string {
  const beside = address === undefined || address === "" ? "" : `, beside ${address}`;
  return `its program cannot be loaded (${name}${beside}). ${whereToLook().replace(/\.$/, "")}`;
}
