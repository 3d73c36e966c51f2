import type { LeaseVotes } from "../../src/quorum/lease-votes.js";
import { failed } from "../../src/redis/answer.js";
import { PrimaryFailure } from "../../src/redis/failures.js";
import { Keys } from "../../src/scripts/keys.js";
import { putMember } from "../../src/scripts/member-calls.js";
import type { Core } from "../../src/service.js";
import type { Canary } from "./canaries.js";
import { patched } from "./patched.js";
import { CALM, type Plan, withChanges } from "./plan.js";
import { leasesOf } from "./variant.js";

const NOT_SENT = failed(new PrimaryFailure("not_sent", "lists are read in whole"));

/** What must be found broken in members that are changed, leave and expire. */
export const MEMBER_CANARIES: readonly Canary[] = [
  {
    name: "a member is alive only where a majority of the replies have it",
    breaks: ["members"],
    from: 3,
    replan: withChanges,
    change: ({ membership: { reads }, primaries }) => {
      const records = reads.records.bind(reads);
      reads.records = async (...asked) => {
        const known = await records(...asked);
        const replies = primaries.all.length - known.unanswered;
        const merged = known.merged.map((one) =>
          one.state === "live" && replies - one.staleAt.length < primaries.majority
            ? { ...one, state: "lapsed" as const }
            : one,
        );
        return { ...known, merged };
      };
    },
  },
  {
    name: "a repair that undoes a leave",
    breaks: ["members"],
    from: 7,
    replan: inWildWeather,
    substitute: patched("put-member", " or RANKS[stored[3]] > RANKS[ARGV[6]] and not outlives then", " then"),
    change: undoLeaves,
  },
  {
    name: "two changes of a member under one revision",
    breaks: ["members"],
    from: 3,
    replan: withChanges,
    substitute: withoutClaims(),
  },
  {
    name: "a sweeper that writes what it read of another primary",
    breaks: ["members"],
    from: 28,
    replan: cutOff,
    // What it writes counts like a vote.
    substitute: patched(
      "put-member",
      "if ARGV[6] == '2' then redis.call('HSET', KEYS[2], 'copied', '1') end",
      "",
    ),
    change: spreadTombstones,
  },
  {
    name: "a bound lease renewed because its member was",
    breaks: ["holds"],
    from: 1,
    replan: withShortLeases,
    change: trustTheMember,
  },
];

/** Leases that often end before the next heartbeat, on a name that others want. */
function withShortLeases(plan: Plan): Plan {
  const terms = { names: 1, thinkMs: 120, leaseTtlsMs: [30, 1_000] };
  return { ...plan, crowd: null, clients: 3, bound: 2, weather: CALM, faults: [], ...terms };
}

/** A majority have the member: so they are taken to have its leases, each of which is extended where it still is. */
function trustTheMember(core: Core): void {
  const { bound } = leasesOf(core) as unknown as { bound: { votes: Pick<LeaseVotes, "renew"> } };
  const { votes } = bound;
  const latest = { mode: "exclusive", owner: "", metadata: "", chosen: false, revision: "" } as const;
  bound.votes = {
    renew: async (lease) => {
      void votes.renew(lease).catch(() => {});
      return { kind: "extended", latest, acks: core.primaries.majority };
    },
  };
}

/** Whatever comes last counts, on each primary, and nobody has a revision for itself. */
function withoutClaims(): (text: string) => string {
  const patches = [
    patched("claim-change", "if stored[2] ~= ARGV[3] or claimed >= revision then", "if false then"),
    patched("put-member", "if is_live and is_other then", "if false then"),
    patched(
      "put-member",
      "if is_change and (claimed ~= revision or claimant ~= ARGV[13]) then",
      "if false then",
    ),
  ];
  return (text) => patches.reduce((patchedText, patch) => patch(patchedText), text);
}

/** Some primaries miss much of what others hear. */
function inWildWeather(plan: Plan): Plan {
  const weather = {
    ...CALM,
    delayMs: [0.1, 15],
    lateShare: 0.1,
    lateMsMax: 400,
    lostReplyShare: 0.01,
  } as const;
  return { ...withChanges(plan), weather };
}

/** Now and then an instance does not get through to a primary, whose deadlines pass meanwhile. */
function cutOff(plan: Plan): Plan {
  const faults = [0.05, 0.2, 0.35, 0.5, 0.65].map((share) => ({
    kind: "no way there" as const,
    atMs: share * plan.faultsMs,
    forMs: 2 * plan.memberTtlMs,
  }));
  return { ...withChanges(plan), weather: CALM, faults, members: 3 };
}

/** Where a primary missed a leave, all get what it has. */
function undoLeaves({ membership: { reads }, primaries }: Core): void {
  // A list that looks twice finds that all have the leave by then.
  for (const primary of primaries.all) {
    const ask = primary.ask.bind(primary);
    primary.ask = (call, answered) =>
      call.script.name === "skim-members" ? answered(NOT_SENT) : ask(call, answered);
  }
  const records = reads.records.bind(reads);
  const keys = new Keys("q:");
  reads.records = async (service, ...asked) => {
    const known = await records(service, ...asked);
    for (const { record, state, staleAt } of known.merged) {
      if (state !== "left" || staleAt.length === 0) continue;
      const live = { ...record, left: false, expiresInMs: record.ttlMs };
      for (const primary of primaries.all) primary.run(putMember(keys, service, live)).catch(() => {});
    }
    return known;
  };
}

/** What has expired on one primary is made to expire on all. */
function spreadTombstones({ membership: { reads }, primaries }: Core): void {
  const records = reads.records.bind(reads);
  const keys = new Keys("q:");
  reads.records = async (service, ids, what, from) => {
    const known = await records(service, ids, what, from);
    for (const { record, isDisputed } of from === "all" ? known.merged : []) {
      if (!isDisputed) continue;
      const tombstone = { ...record, expired: "own", expiresInMs: record.ttlMs } as const;
      for (const primary of primaries.all) primary.run(putMember(keys, service, tombstone)).catch(() => {});
    }
    return known;
  };
}
