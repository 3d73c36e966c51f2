import { bytes } from "../kinds/primaries.js";
import type { Server } from "../types.js";
import { redisCli } from "./cures.js";
import type { Examined } from "./examination.js";
import { type Finding, type Findings, see } from "./finding.js";
import { type Seen, seenBy } from "./seen.js";
import { findingOfState } from "./states.js";

/** What is wrong with the primaries. */
export function findingsOfPrimaries(examined: readonly Examined[]): Findings {
  const all = seenBy(examined);
  const isTrial = examined.some(({ primaries }) => primaries?.embedded);
  const findings = all.flatMap((seen) => [
    ...findingOfState(seen),
    ...slow(seen),
    ...(seen.server === null ? [] : memory(seen.address, seen.server.memory)),
    ...(seen.server === null || isTrial ? [] : persistence(seen.address, seen.server.persistence)),
  ]);
  return { findings, notes: isTrial ? [] : notesOf(all) };
}

function persistence(
  address: string,
  { appendOnly, appendFsync, writesSucceed }: NonNullable<Server>["persistence"],
): Finding[] {
  const found: Finding[] = [];
  const section = see("what-each-persistence-setting-survives");
  if (!appendOnly)
    found.push({
      id: "appendonly",
      weight: "serious",
      subject: address,
      what: "it has no append-only file (appendonly no)",
      why: "a restart forgets everything here, and if a majority restart together, all leases are lost",
      see: section,
      cure: redisCli(address, "config", "set", "appendonly", "yes"),
    });
  else if (appendFsync === "no" || appendFsync === "everysec")
    found.push({
      id: `appendfsync-${appendFsync}`,
      weight: appendFsync === "no" ? "serious" : "minor",
      subject: address,
      what: `it writes to its disk ${appendFsync === "no" ? "when the system likes" : "once a second"} (appendfsync ${appendFsync})`,
      why: `when machines lose power, ${appendFsync === "no" ? "some 30 seconds" : "the last second"} of what was acknowledged may be forgotten`,
      see: section,
      cure: redisCli(address, "config", "set", "appendfsync", "always"),
    });
  if (writesSucceed === false)
    found.push({
      id: "disk",
      weight: "critical",
      subject: address,
      what: "its last write to disk failed",
      why: "it refuses writes, or forgets them when it restarts: is the disk full?",
      see: section,
      cure: `${redisCli(address, "info", "persistence")}   # and free the disk of its machine`,
    });
  return found;
}

function memory(
  address: string,
  { usedBytes, maxBytes, maxmemoryPolicy }: NonNullable<Server>["memory"],
): Finding[] {
  const found: Finding[] = [];
  // With a maxmemory it is misconfigured, and takes no part.
  if (maxBytes === null && maxmemoryPolicy !== null && maxmemoryPolicy !== "noeviction")
    found.push({
      id: "eviction",
      weight: "minor",
      subject: address,
      what: `maxmemory-policy is ${maxmemoryPolicy}`,
      why: "as soon as it gets a maxmemory it takes no part any more, since an evicted key is a lost lock",
      see: see("the-primaries"),
      cure: redisCli(address, "config", "set", "maxmemory-policy", "noeviction"),
    });
  if (maxBytes !== null && usedBytes !== null && usedBytes > FULL * maxBytes)
    found.push({
      id: "memory",
      weight: "serious",
      subject: address,
      what: `its memory is nearly full: ${bytes(usedBytes)} of ${bytes(maxBytes)}`,
      why: "when it is full, the primary refuses grants and registrations",
      see: see("memory"),
      cure: redisCli(address, "config", "set", "maxmemory", String(2 * maxBytes)),
    });
  return found;
}

function slow({ address, views }: Seen): Finding[] {
  const late = views.filter(({ primary, timeoutMs }) => (primary.latencyMs.p99 ?? 0) > timeoutMs / 2);
  const worst = late.toSorted((a, b) => (b.primary.latencyMs.p99 ?? 0) - (a.primary.latencyMs.p99 ?? 0))[0];
  if (worst === undefined) return [];
  const { url, primary, timeoutMs } = worst;
  return [
    {
      id: "latency",
      weight: "serious",
      subject: address,
      what: `one call in a hundred takes ${Math.round(primary.latencyMs.p99 ?? 0)} ms or longer, from ${url}`,
      why: `after ${timeoutMs} ms (QUORATE_COMMAND_TIMEOUT_MS) a call counts as failed, and the primary as down`,
      see: see("reading-v1primaries"),
      cure: redisCli(address, "slowlog", "get"),
    },
  ];
}

/** What nobody could see, or what may be as it is. */
function notesOf(all: readonly Seen[]): string[] {
  const silent = all.filter(({ server }) => server?.persistence.appendFsync === null);
  const untold = all.filter(({ views, server }) => server === null && views.some(isUp));
  const versions = new Set(
    all.flatMap(({ server }) => (server ? `${server.product} ${server.version}` : [])),
  );
  return [
    ...(silent.length === 0
      ? []
      : [`appendfsync is unknown, since CONFIG GET is refused: ${namesOf(silent)}`]),
    ...(untold.length === 0
      ? []
      : [`persistence, memory and clock are unknown, since the instance does not tell: ${namesOf(untold)}`]),
    ...(versions.size < 2 ? [] : [`the primaries have different versions: ${[...versions].join(", ")}`]),
    ...(all.length === 1 ? ["there is one primary only: while it is down, nothing works"] : []),
  ];
}

const isUp = ({ primary }: Seen["views"][number]) => primary.state === "up";
const namesOf = (some: readonly Seen[]) => some.map(({ address }) => address).join(", ");

const FULL = 0.9;
