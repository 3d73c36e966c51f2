import { isIP } from "node:net";
import type { Config } from "../../config.js";
import { CoordinationError } from "../../errors.js";
import { isLoopback } from "../../setting-values.js";
import { PROBES } from "../access/open-paths.js";
import type { Gate } from "./gate.js";

/**
 * Refuses requests that a foreign web page makes a browser send here: by a foreign `Host`, where a name of the page
 * resolves to this address (DNS rebinding); by a foreign `Origin`; by `Sec-Fetch-Site: cross-site`.
 *
 * Allowed names are those of `QUORATE_ALLOWED_HOSTS`, and always localhost, 127.0.0.1, [::1] and HOST. Without the
 * setting, an instance that listens on other addresses than loopback cannot know its names: any `Host` will do, unless
 * the client is a browser. A browser is recognized by `Origin` or `Sec-Fetch-Site`, and must use one of these names, or
 * an address, for which no DNS is asked.
 */
export function hostGate(config: Pick<Config, "host" | "allowedHosts" | "tlsCert">): Gate {
  const scheme = config.tlsCert === undefined ? "http" : "https";
  const allowed = new Set([
    ...LOOPBACK,
    bracketed(config.host.toLowerCase()),
    ...(config.allowedHosts ?? []),
  ]);
  const anyName = config.allowedHosts === undefined && !isLoopback(config.host);
  /** The last Host that was allowed whatever else: nearly all requests have the same. */
  let usual: string | undefined;
  return ({ method, url = "", headers, httpVersionMinor }) => {
    const { host, origin } = headers;
    const site = headers["sec-fetch-site"];
    const isBrowser = origin !== undefined || site !== undefined;
    if (!isBrowser && host !== undefined && host === usual) return null;
    if (site === "cross-site" && !(method === "GET" && DOCUMENT.test(url) && isNavigation(headers)))
      return FROM_A_PAGE;
    if (PROBES.test(url))
      return origin === undefined || isOwn(origin, host, allowed, scheme) ? null : FROM_A_PAGE;
    if (host === undefined) {
      // Browsers always send one, and every client that speaks HTTP/1.1 must.
      return httpVersionMinor === 0 ? (origin === undefined ? null : FROM_A_PAGE) : NO_HOST;
    }
    const named = parse(host);
    if (named === null) return BAD_HOST;
    if (!isAllowed(named, scheme === "https" ? 443 : 80, allowed)) {
      if (!anyName || (isBrowser && !isAddress(named.name))) return ANOTHER_HOST;
    }
    if (!isBrowser) usual = host;
    return origin === undefined || isOwn(origin, host, allowed, scheme) ? null : FROM_A_PAGE;
  };
}

interface Authority {
  /** In lower case; an IPv6 address in brackets. */
  readonly name: string;
  readonly port: number | null;
}

function parse(authority: string): Authority | null {
  const [, name, port] = AUTHORITY.exec(authority) ?? [];
  return name === undefined
    ? null
    : { name: name.toLowerCase(), port: port === undefined ? null : Number(port) };
}

/** An entry without a port allows any port. */
function isAllowed({ name, port }: Authority, usualPort: number, allowed: ReadonlySet<string>): boolean {
  return allowed.has(name) || allowed.has(`${name}:${port ?? usualPort}`);
}

/** Whether pages of this origin are served by this service itself, or by an allowed host. */
function isOwn(
  origin: string,
  host: string | undefined,
  allowed: ReadonlySet<string>,
  ownScheme: string,
): boolean {
  if (host !== undefined && origin.toLowerCase() === `${ownScheme}://${host.toLowerCase()}`) return true;
  const [, scheme, authority = ""] = ORIGIN.exec(origin) ?? [];
  const from = parse(authority);
  return from !== null && isAllowed(from, scheme === "https" ? 443 : 80, allowed);
}

/** Whether a person follows a link to the page at /docs. */
function isNavigation(headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
  return headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
}

function isAddress(name: string): boolean {
  return isIP(name.replace(/^\[|\]$/g, "")) !== 0;
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const DOCUMENT = /^\/(docs\/?|openapi\.(json|yaml))?(\?|$)/;
const AUTHORITY = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i;
const ORIGIN = /^(https?):\/\/(.+)$/i;

const forbidden = (detail: string) => new CoordinationError("forbidden", detail);
const ANOTHER_HOST = forbidden(
  "The Host of this request is not a name of this service. If it should be one, add it to QUORATE_ALLOWED_HOSTS.",
);
const FROM_A_PAGE = forbidden(
  "This request comes from a foreign web page. If the page is yours, add its host to QUORATE_ALLOWED_HOSTS.",
);
const NO_HOST = new CoordinationError("invalid_request", "An HTTP/1.1 request needs the header Host.");
const BAD_HOST = new CoordinationError(
  "invalid_request",
  "The header Host is not a name or address with a port.",
);
