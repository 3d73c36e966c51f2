import { lookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { type AllowList, unmapped } from "./allow-list.js";

/** Where a request goes. */
export interface Destination {
  /** By TLS. */
  readonly secure: boolean;
  /** An address or a name, in lower case. */
  readonly host: string;
  readonly port: number;
  /** With its query. */
  readonly path: string;
}

/**
 * Reads a URL that a user has named, with one of these protocols. Null: it is none, or has a user or a fragment. Spellings of
 * an address that only some programs understand (`0x7f.1`) are what the standard of URLs makes of them.
 */
export function readUrl(text: string, protocols: readonly ("http:" | "https:")[]): Destination | null {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(text);
  if (!protocols.some((one) => one === protocol) || username || password || hash) return null;
  const secure = protocol === "https:";
  const number = Number(port || defaultPort(secure));
  if (number === 0) return null;
  const host = unmapped(hostname.replace(/^\[|\]$/g, "").toLowerCase());
  return { secure, host, port: number, path: pathname + search };
}

/** The protocols that requests are made by. */
export const WEB = ["http:", "https:"] as const;

/** Finds the address of a name. */
export type Resolve = (host: string) => Promise<string>;

export const resolveByDns: Resolve = async (host) => (await lookup(host)).address;

/**
 * The address to connect to: a name is resolved once, and what was found is judged. Null: it is not allowed. Rejects where the
 * name cannot be resolved.
 */
export async function allowedAddress(
  host: string,
  allow: Pick<AllowList, "hasAddress">,
  resolve: Resolve,
): Promise<string | null> {
  const address = isIP(host) === 0 ? await resolve(host) : host;
  return allow.hasAddress(address) ? address : null;
}

/** What a request to a judged address has in common with all others: no name is looked up a second time. */
export const NEVER_RESOLVED: LookupFunction = (_host, _options, found) =>
  found(new Error("no second look-up"), "", 0);

/** For the header Host. */
export function authority({ secure, host, port }: Omit<Destination, "path">): string {
  const name = isIP(host) === 6 ? `[${host}]` : host;
  return port === defaultPort(secure) ? name : `${name}:${port}`;
}

const defaultPort = (secure: boolean) => (secure ? 443 : 80);

/** Of an answer: what is beyond them is not read. */
export const HEADER_BYTES_MAX = 8_192;
