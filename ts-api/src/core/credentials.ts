/** Names and passwords in URLs: fetch refuses them, and messages must not repeat them. */
import { toBase64 } from "./base64.js";

const CREDENTIALS = /^(https?:\/\/)[^/?#\\]*@/i;

/** A URL as fetch takes it, and the headers that carry the name and password that it held. */
export function withoutCredentials(address: string): { url: string; headers: Record<string, string> } {
  const url = CREDENTIALS.test(address) && URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined) return { url: address, headers: {} };
  const both = new TextEncoder().encode(`${unescaped(url.username)}:${unescaped(url.password)}`);
  url.username = url.password = "";
  return { url: url.href, headers: { authorization: `Basic ${toBase64(both)}` } };
}

/** An address for messages. */
export function hideCredentials(address: string): string {
  return address.replace(CREDENTIALS, "$1");
}

/** Passwords may hold a percent sign that nobody escaped. */
function unescaped(text: string): string {
  return text.replace(/(%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}
