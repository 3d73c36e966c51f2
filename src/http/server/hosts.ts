import { isIP } from "node:net";
import type { Config } from "../../config.js";
import { CoordinationError } from "../../errors.js";
import type { Gate } from "./gate.js";

/**
 * Keeps out what a web page of somebody else lets a browser send here: by a `Host` that is not ours, where a name of the
 * page leads to this address (DNS rebinding); by an `Origin` that is not ours; by `Sec-Fetch-Site: cross-site`.
 *
 * Names are those of `QUORATE_ALLOWED_HOSTS`, and always localhost, 127.0.0.1, [::1] and HOST. Without the setting an
 * instance that listens on other addresses than loopback cannot know its names: there any `Host` will do for a client
 * that is no browser; a browser tells itself by `Origin` or `Sec-Fetch-Site`, and needs one of these names or an
 * address, which no DNS is asked for.
 */
export function hostGate(config: Pick<Config, "host" | "allowedHosts">): Gate {
  const allowed = new Set([
    ...LOOPBACK,
    bracketed(config.host.toLowerCase()),
    ...(config.allowedHosts ?? []),
  ]);
  const anyName = config.allowedHosts === undefined && !isLoopback(config.host);
  return ({ method, url = "", headers, httpVersionMinor }) => {
    const { host, origin } = headers;
    const site = headers["sec-fetch-site"];
    if (site === "cross-site" && !(method === "GET" && DOCUMENT.test(url) && isNavigation(headers)))
      return FROM_A_PAGE;
    if (PROBE.test(url)) return origin === undefined || isOwn(origin, host, allowed) ? null : FROM_A_PAGE;
    if (host === undefined) {
      // Browsers always send one, and so must whoever speaks HTTP/1.1.
      return httpVersionMinor === 0 ? (origin === undefined ? null : FROM_A_PAGE) : NO_HOST;
    }
    const named = parse(host);
    if (named === null) return BAD_HOST;
    if (!isAllowed(named, 80, allowed)) {
      const browser = origin !== undefined || site !== undefined;
      if (!anyName || (browser && !isAddress(named.name))) return ANOTHER_HOST;
    }
    return origin === undefined || isOwn(origin, host, allowed) ? null : FROM_A_PAGE;
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

/** An entry without a port stands for any. */
function isAllowed({ name, port }: Authority, usualPort: number, allowed: ReadonlySet<string>): boolean {
  return allowed.has(name) || allowed.has(`${name}:${port ?? usualPort}`);
}

/** Whether a page from there is one that this service serves itself, or from a host that was allowed. */
function isOwn(origin: string, host: string | undefined, allowed: ReadonlySet<string>): boolean {
  if (host !== undefined && origin.toLowerCase() === `http://${host.toLowerCase()}`) return true;
  const [, scheme, authority = ""] = ORIGIN.exec(origin) ?? [];
  const from = parse(authority);
  return from !== null && isAllowed(from, scheme === "https" ? 443 : 80, allowed);
}

/** A person who follows a link from elsewhere to the page at /docs. */
function isNavigation(headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
  return headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|::1)$/i.test(host);
}

function isAddress(name: string): boolean {
  return isIP(name.replace(/^\[|\]$/g, "")) !== 0;
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
/** Load balancers ask these by whatever address they have. */
const PROBE = /^\/(livez|readyz)(\?|$)/;
const DOCUMENT = /^\/(docs\/?|openapi\.(json|yaml))?(\?|$)/;
const AUTHORITY = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i;
const ORIGIN = /^(https?):\/\/(.+)$/i;

const forbidden = (detail: string) => new CoordinationError("forbidden", detail);
const ANOTHER_HOST = forbidden(
  "The Host of this request is no name of this service. Where it should be one, add it to QUORATE_ALLOWED_HOSTS.",
);
const FROM_A_PAGE = forbidden(
  "This request comes from a web page of somebody else. Where the page is yours, add its host to QUORATE_ALLOWED_HOSTS.",
);
const NO_HOST = new CoordinationError("invalid_request", "A request of HTTP/1.1 needs the header Host.");
const BAD_HOST = new CoordinationError(
  "invalid_request",
  "The header Host is not a name or address with a port.",
);
