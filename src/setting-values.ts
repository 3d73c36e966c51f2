import { isIP } from "node:net";
import type { z } from "zod";

/** Settings whose values are more than a number or a word: how their text is read, and what is wrong with it. */

const ALLOWED_COUNTS = [1, 3, 5, 7];

export function toUrls(text: string, { addIssue }: z.RefinementCtx): readonly string[] {
  const urls = text.split(",").map((url) => url.trim());
  const addresses: (string | undefined)[] = [];
  for (const [place, url] of urls.entries()) {
    const why = whyNot(url, addresses);
    if (why !== undefined) addIssue(`REDIS_URLS, entry ${place + 1} ${why}`);
    addresses.push(why === undefined ? addressOf(url) : undefined);
  }
  if (!ALLOWED_COUNTS.includes(urls.length)) {
    addIssue(
      `REDIS_URLS names ${urls.length} primaries, but their number must be ${ALLOWED_COUNTS.join(", ")}: with an even one votes can tie`,
    );
  }
  return Object.freeze(urls);
}

/**
 * Why a URL cannot name a primary beside those before it. An entry may hold a password: only its host and port are
 * repeated.
 */
function whyNot(url: string, before: readonly (string | undefined)[]): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed?.hostname || !["redis:", "rediss:"].includes(parsed.protocol))
    return "is not a URL like redis://host:6379 or rediss://user:password@host:6380/0";
  if (/[?#].*@/.test(url)) return "has a ? or # in its user or password: write it as %3F or %23";
  const why = whyNotTls(parsed);
  if (why !== null) return why;
  // A password with a slash in it would be taken for a host and a path.
  if (!/^\/?\d*$/.test(parsed.pathname)) return "ends in a path that is not a database number";
  const address = addressOf(url);
  const first = before.indexOf(address);
  if (first < 0) return undefined;
  return `is the same server as entry ${first + 1} (${address}): primaries must be independent of each other`;
}

/** The parameters that the URL of a primary may have. */
const TLS_PARAMETERS = ["ca", "cert", "key", "servername"];

function whyNotTls({ protocol, searchParams }: URL): string | null {
  if (searchParams.size === 0) return null;
  if (protocol !== "rediss:") return "has parameters after a ?, which only rediss:// has";
  if (![...searchParams].every(([name, value]) => TLS_PARAMETERS.includes(name) && value !== ""))
    return `has parameters after a ? other than ${TLS_PARAMETERS.join(", ")}, or an empty one`;
  if (searchParams.has("cert") !== searchParams.has("key"))
    return "has only one of the parameters cert and key: they belong together";
  return null;
}

export function toBlocks(text: string, { addIssue }: z.RefinementCtx): readonly string[] {
  const blocks = text.split(",").flatMap((block) => block.trim() || []);
  for (const block of blocks)
    if (!isAddressBlock(block))
      addIssue(`QUORATE_TRUSTED_PROXIES has "${block}", which is not an address like 10.0.0.1 or 10.0.0.0/8`);
  return Object.freeze(blocks);
}

/** What this service may connect to: blocks of addresses, and names that resolve into one of them. `name`: of the setting. */
export const toAllowList =
  (name: string) =>
  (text: string, { addIssue }: z.RefinementCtx): readonly string[] => {
    const entries = text.split(",").flatMap((entry) => entry.trim().toLowerCase() || []);
    for (const entry of entries)
      if (!isAddressBlock(entry) && !HOST.test(entry))
        addIssue(
          `${name} has "${entry}", which is neither like 10.0.0.1 or 10.0.0.0/8 nor like search.internal`,
        );
    if (entries.length > 0 && !entries.some(isAddressBlock))
      addIssue(`${name} has no block like 10.0.0.0/8: the addresses of its hosts must be in one`);
    return Object.freeze(entries);
  };

/** A name whose last label is no number, or it would be an address to some. */
const HOST =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A single address or a block of them: `10.0.0.0/8`, `::1`. */
function isAddressBlock(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0 || address.includes("%")) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

export function toHosts(text: string): readonly string[] | undefined {
  const hosts = text.split(",").flatMap((host) => host.trim().toLowerCase() || []);
  return hosts.length === 0 ? undefined : Object.freeze(hosts);
}

/** Keys that come over plain HTTP could be anybody's on the way. */
export function checkJwks(text: string, { addIssue }: z.RefinementCtx): void {
  // Also `https:host`, which is a URL to whoever fetches it.
  if (!/^(https?:|[a-z][a-z0-9+.-]*:\/\/)/i.test(text)) return;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.username || url?.password)
    return void addIssue("QUORATE_JWT_JWKS must have no user and no password in its URL");
  const { protocol, hostname } = url ?? { protocol: "", hostname: "" };
  const loopback = isLoopback(hostname.replace(/^\[|\]$/g, ""));
  if (protocol === "https:" || (protocol === "http:" && loopback)) return;
  addIssue("QUORATE_JWT_JWKS must be an https:// URL (http:// on loopback only) or the path of a file");
}

const OPEN = ["metrics", "docs"] as const;

export function toOpen(text: string, { addIssue }: z.RefinementCtx): readonly (typeof OPEN)[number][] {
  const parts = text.split(",").flatMap((part) => part.trim() || []);
  for (const part of parts)
    if (!OPEN.some((one) => one === part))
      addIssue(`QUORATE_OPEN has "${part}", but must be of ${OPEN.join(", ")}, separated by commas`);
  return Object.freeze(OPEN.filter((one) => parts.includes(one)));
}

export function toAudit(text: string, { addIssue }: z.RefinementCtx): "stdout" | { readonly file: string } {
  const file = /^file:(.+)$/.exec(text)?.[1];
  if (text !== "stdout" && file === undefined) addIssue("must be stdout or file:PATH");
  return file === undefined ? "stdout" : Object.freeze({ file });
}

/** Whether only this machine reaches an address to listen on. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);
}

/** Host and port of a Redis URL: safe to log and show. */
export function addressOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname.toLowerCase()}:${port || "6379"}`;
}

/** Names of one namespace, by how they begin: they have metrics of their own. */
export interface MetricsPrefix {
  readonly namespace: string;
  /** Empty: all names of the namespace. */
  readonly prefix: string;
}

/** Reads `orders-,team-a/jobs-,team-a/`: an entry without a namespace is about `default`. */
export function toMetricsPrefixes(text: string, { addIssue }: z.RefinementCtx): readonly MetricsPrefix[] {
  const entries = [...new Set(text.split(",").flatMap((entry) => entry.trim() || []))];
  const prefixes = entries.flatMap((entry) => {
    const [, namespace = "default", prefix = ""] = ENTRY.exec(entry) ?? [];
    if (ENTRY.test(entry)) return { namespace, prefix };
    addIssue(`QUORATE_METRICS_PREFIXES has "${entry}", which is not like orders- or team-a/orders-`);
    return [];
  });
  if (entries.length > PREFIXES_MAX)
    addIssue(`QUORATE_METRICS_PREFIXES has ${entries.length} entries, but may have ${PREFIXES_MAX}`);
  return Object.freeze(prefixes);
}

/** Both parts follow the pattern of names. */
const ENTRY = /^(?:([A-Za-z0-9][A-Za-z0-9._:-]{0,127})\/)?((?<=\/)|[A-Za-z0-9][A-Za-z0-9._:-]{0,127})$/;
/** Each has up to a hundred lines in the answer to a scrape. */
const PREFIXES_MAX = 20;
