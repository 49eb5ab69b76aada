/**
 * A `fetch` that uses the proxy in HTTPS_PROXY, HTTP_PROXY and NO_PROXY. Deno and Bun do that themselves, and so does Node from 22.21 and
 * 24.5 if NODE_USE_ENV_PROXY is set. In every other Node the package undici does it, if it is installed: it is the code of Node's own
 * fetch.
 */
import type * as Undici from "undici";

type Fetch = typeof globalThis.fetch;

const PACKAGE: string = "undici";
const VARIABLES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/** The fetch of undici with its proxies; undefined if the package is not installed. Loaded once. */
let proxied: Promise<Fetch | undefined> | undefined;
let isInstalled = true;

export const fetch: Fetch = async (input, init) => {
  const own = isUnheeded() ? await (proxied ??= openProxied()) : undefined;
  return (own ?? globalThis.fetch)(input, init);
};

export function unheededProxy(): string | undefined {
  if (isInstalled || !isUnheeded()) return undefined;
  return `${VARIABLES.find((name) => process.env[name])!} is set, but this version of Node ignores it: npm install undici, or set NODE_USE_ENV_PROXY=1 with Node 24.5 or newer`;
}

/** Whether the environment names a proxy that the global fetch ignores. */
function isUnheeded(): boolean {
  const { bun, deno } = process.versions;
  return bun === undefined && deno === undefined && !heedsItself() && VARIABLES.some((name) => process.env[name]);
}

function heedsItself(): boolean {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return process.env["NODE_USE_ENV_PROXY"] === "1" && (major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21));
}

async function openProxied(): Promise<Fetch | undefined> {
  let undici: typeof Undici;
  try {
    // A variable, so that bundlers do not look for an optional package.
    undici = (await import(PACKAGE)) as typeof Undici;
  } catch {
    isInstalled = false;
    return undefined;
  }
  const http = proxyOf("http_proxy"), https = proxyOf("https_proxy");
  const dispatcher = new undici.EnvHttpProxyAgent({ ...(http === undefined ? {} : { httpProxy: http }), ...(https === undefined ? {} : { httpsProxy: https }) });
  // The package's own types of requests and answers; the objects are those of the standard.
  return (input, init) => undici.fetch(input as never, { ...init, dispatcher } as never) as unknown as Promise<Response>;
}

/** The URL in a variable, which may lack its scheme, as for curl. */
function proxyOf(name: string): string | undefined {
  const upper = name.toUpperCase(), value = (process.env[name] ?? process.env[upper] ?? "").trim();
  if (value === "") return undefined;
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (/^https?:/i.test(url) && URL.canParse(url)) return url;
  // The value may hold a password.
  throw new Error(`the proxy in ${upper} must be a URL such as http://host:3128`);
}
