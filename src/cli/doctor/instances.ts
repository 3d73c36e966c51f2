import type { QuorateError } from "../../client/errors.js";
import { inWords } from "../duration.js";
import { hostOf, on, quoted } from "./cures.js";
import type { Examined } from "./examination.js";
import { type Finding, see } from "./finding.js";

/** What is wrong with single instances, and between them. */
export function findingsOfInstances(examined: readonly Examined[]): Finding[] {
  const nobody = examined.every(({ primaries }) => primaries === null);
  return [
    ...examined.flatMap((one) => (one.failure === null ? [] : [failed(one.url, one.failure, nobody)])),
    ...examined.flatMap(findingsOfOne),
    ...differing(examined),
  ];
}

function findingsOfOne({ url, primaries, ready, failure }: Examined): Finding[] {
  // An outdated one, too, knows nothing of the quorum that others have.
  if (!primaries || failure?.code === "no_quorum") return [];
  const { quorum, grantsInMs, embedded } = primaries;
  return [
    ...(quorum ? [] : [noQuorum(url, ready?.reason ?? null)]),
    ...(grantsInMs ? [silent(url, grantsInMs)] : []),
    ...(embedded ? [trial(url)] : []),
  ];
}

function failed(url: string, failure: QuorateError, nobody: boolean): Finding {
  const { code, message } = failure;
  const weight = nobody ? "critical" : "serious";
  const rest = { subject: url, weight } as const;
  if (code === "unauthenticated" || code === "forbidden")
    return {
      ...rest,
      id: "key",
      what: `it does not tell this key about its primaries: ${message}`,
      why: "nothing can be said of what it sees; the key needs the grant `read *`",
      see: "docs/access.md",
      cure: "export QUORATE_KEY_FILE=/path/of/a/key",
    };
  if (code === "shutting_down")
    return {
      ...rest,
      id: "not-ready",
      what: "it is stopping: /readyz says so",
      why: "it takes no more requests",
      see: see("readyz"),
      cure: start(url),
    };
  if (code === "no_quorum")
    return {
      ...rest,
      id: "outdated",
      what: `it takes no part: ${message}`,
      why: "a later version of Quorate runs on these primaries; clients lose time here",
      see: see("upgrades"),
      cure: start(url),
    };
  if (code === "unexpected_answer")
    return {
      ...rest,
      id: "not-quorate",
      what: message,
      why: "a proxy or another server answers at this URL",
      see: see("behind-a-load-balancer"),
      cure: `curl -i ${quoted(`${url.replace(/\/$/, "")}/readyz`)}`,
    };
  return {
    ...rest,
    id: "unreachable",
    what: code === "unreachable" ? `it does not answer: ${reasonOf(failure)}` : message,
    why: "clients that are told of it lose time, and have one instance less",
    see: see("reading-v1primaries"),
    cure: start(url),
  };
}

/** Of a request that failed before there was an answer: what the network says, which fetch hides. */
function reasonOf({ message, cause }: QuorateError): string {
  const inner = (cause as Error | undefined)?.cause as (Error & { readonly code?: string }) | undefined;
  return inner?.message || inner?.code || message;
}

const noQuorum = (url: string, reason: string | null): Finding => ({
  id: "no-quorum",
  weight: "critical",
  subject: url,
  what: `no quorum: ${reason ?? "fewer than a majority of the primaries take part and accept writes"}`,
  why: "no lease is granted or renewed",
  see: see("reading-v1primaries"),
  cure: null,
});

const silent = (url: string, grantsInMs: number): Finding => ({
  id: "no-grants",
  weight: "minor",
  subject: url,
  what: `no new lease is granted for ${inWords(grantsInMs)}`,
  why: "a majority of the primaries restarted, and leases that they may have forgotten have to end first",
  see: see("rebooting"),
  cure: `sleep ${Math.ceil(grantsInMs / 1_000)}; quorate doctor`,
});

const trial = (url: string): Finding => ({
  id: "embedded",
  weight: "serious",
  subject: url,
  what: "it started its primaries itself, since REDIS_URLS names none",
  why: "they keep nothing when it stops, and no other instance can use them",
  see: see("the-primaries"),
  cure: on(url, "REDIS_URLS=redis://a:6379,redis://b:6379,redis://c:6379 quorate serve"),
});

/** Instances that should be alike. */
function differing(examined: readonly Examined[]): Finding[] {
  const told = examined.flatMap(({ url, primaries }) => (primaries ? [{ url, ...primaries }] : []));
  const deployments = groups(told, ({ deployment }) => deployment);
  const versions = groups(told, ({ version }) => version);
  const [most = [], ...others] = [...deployments.values()].toSorted(
    (one, other) => other.length - one.length,
  );
  return [
    ...others.flat().map(({ url }) => ({
      id: "other-deployment",
      weight: "critical" as const,
      subject: url,
      what: `it belongs to another deployment than ${most[0]?.url}`,
      why: "each of them grants the same lock to a holder of its own",
      see: see("reading-v1primaries"),
      cure: `${on(url, "systemctl restart quorate")}, with the REDIS_URLS and QUORATE_KEY_PREFIX of the others`,
    })),
    ...(versions.size < 2 ? [] : [mixedVersions(versions)]),
  ];
}

function mixedVersions(versions: ReadonlyMap<string, readonly { readonly url: string }[]>): Finding {
  const list = [...versions].map(
    ([version, some]) => `${version} (${some.map(({ url }) => url).join(", ")})`,
  );
  const [oldest] = [...versions.keys()].toSorted((one, other) =>
    one.localeCompare(other, "en", { numeric: true }),
  );
  const behind = versions.get(oldest ?? "") ?? [];
  return {
    id: "versions",
    weight: "minor",
    subject: behind.map(({ url }) => url).join(", "),
    what: `instances have different versions: ${list.join(", ")}`,
    why: "that is right during an upgrade only",
    see: see("upgrades"),
    cure: `systemctl restart quorate   # on ${behind.map(({ url }) => hostOf(url)).join(", ")}, with the newest version`,
  };
}

/** By what they have in common; those that do not know it are left out. */
function groups<T>(all: readonly T[], of: (one: T) => string | null | undefined): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const one of all) {
    const key = of(one);
    if (key !== null && key !== undefined) found.set(key, [...(found.get(key) ?? []), one]);
  }
  return found;
}

function start(url: string): string {
  const host = hostOf(url);
  return /^(localhost|127\.|\[::1\])/.test(host) ? "quorate serve" : on(url, "systemctl restart quorate");
}
