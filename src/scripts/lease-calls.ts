import type { AcquireRefusal } from "../algorithms/refusals.js";
import type { RenewalVote } from "../algorithms/renewals.js";
import { type Hold, parseHold } from "./hold.js";
import type { Keys } from "./keys.js";
import { isListed } from "./resource-kinds.js";
import { type Call, isOne, type ScriptName, scriptCall } from "./scripts.js";

/** `exclusive`: a writer, alone. `shared`: a reader, beside other readers. */
export type Mode = "exclusive" | "shared";

/** The resources and conditions of a lease, and its secret. */
export interface Claim {
  readonly leaseId: string;
  /** Null: the mode in which it was acquired. */
  readonly mode: Mode | null;
  /** The lease has all of them or none. A resource is a kind and a name, `lock/orders-42`. */
  readonly resources: readonly string[];
  /** The queues in which requests for any of them wait. */
  readonly queues: readonly string[];
  /** Idempotency fingerprint of a leaseId that its caller chose: the leaseId is good for nothing else. */
  readonly fingerprint: string | null;
  readonly limit: { readonly semaphore: string; readonly permits: number } | null;
}

export interface Attempt extends Claim {
  /** Distinguishes the request from others for the same lease. */
  readonly nonce: string;
  /** Distinguishes the attempts of a request: once a primary has heard of a later attempt, this one is over there. */
  readonly attemptNumber: number;
}

export interface AcquireTerms {
  readonly ttlMs: number;
  readonly owner: string;
  /** JSON. */
  readonly metadata: string;
  /** The caller chose the leaseId and may repeat the request. */
  readonly chosen: boolean;
  /** Its queue entry; null for a request that does not wait. */
  readonly queueEntry: {
    readonly ticket: number;
    readonly instance: string;
    /** How long the entry is kept without another attempt, ms. */
    readonly keptMs: number;
    /** Whether a primary may hand off the name to it, as the attempt after this one. */
    readonly acceptsHandoff: boolean;
  } | null;
}

export type AcquireVote = { readonly kind: "granted"; readonly counter: number } | AcquireRefusal<Hold>;

/** A call to a script that builds on leases.lua. */
export function leaseCall<T>(
  keys: Keys,
  name: ScriptName,
  claim: Claim & Partial<Pick<Attempt, "nonce" | "attemptNumber">>,
  own: readonly (string | number)[],
  parse: (reply: unknown) => T,
): Call<T> {
  const { leaseId, mode, resources, queues, fingerprint, limit, nonce, attemptNumber } = claim;
  const [first] = resources;
  const used = [keys.counters, keys.countersOlder, keys.leaseTombstone(leaseId)];
  // The letters are those of leases.lua, in its order.
  let optional = "";
  if (fingerprint !== null) {
    optional += "f";
    used.push(keys.fingerprint(leaseId));
  }
  if (limit !== null) {
    optional += "l";
    used.push(keys.limit(limit.semaphore));
  }
  if (nonce !== undefined && attemptNumber !== undefined) {
    optional += "a";
    used.push(keys.attemptTombstone(leaseId, nonce, attemptNumber));
  }
  if (first === undefined || isListed(first)) {
    optional += "h";
    used.push(keys.held);
  }
  for (const resource of resources) used.push(keys.hold(resource));
  for (const queue of queues) used.push(keys.queue(queue));
  const args = [keys.waiting, leaseId, mode ?? "", resources.length, optional, ...resources, ...own];
  return scriptCall(name, used, args, parse);
}

/** The claim of calls about names that concern no lease. */
export const NOBODY: Claim = {
  leaseId: "",
  mode: "exclusive",
  resources: [],
  queues: [],
  fingerprint: null,
  limit: null,
};

export function acquireLease(keys: Keys, attempt: Attempt, terms: AcquireTerms): Call<AcquireVote> {
  const { nonce, attemptNumber } = attempt;
  const { ttlMs, owner, metadata, chosen, queueEntry } = terms;
  const own = [nonce, attemptNumber, ttlMs, owner, metadata, flag(chosen), ...conditionsOf(attempt)];
  if (queueEntry) {
    const { ticket, instance, keptMs, acceptsHandoff } = queueEntry;
    own.push(String(ticket), instance, keptMs, flag(acceptsHandoff));
  }
  return leaseCall(keys, "acquire-lease", attempt, own, toAcquireVote);
}

function toAcquireVote(reply: unknown): AcquireVote {
  const [granted, second, third, ...rest] = reply as [number, string, number, ...unknown[]];
  if (granted === 1) return { kind: "granted", counter: Number(second) };
  switch (second) {
    case "quarantined":
      return { kind: "quarantined", forMs: Number(third) };
    case "held":
      return { kind: "held", ahead: third, hold: parseHold(rest) };
    case "queued":
      return { kind: "queued", ahead: third };
    case "limit":
      return { kind: "limit", limit: Number(third) };
    default:
      return { kind: second === "mismatch" ? "other" : "gone" };
  }
}

/** The counter after the raise; null if the attempt lacks a hold here. */
export function raiseCounters(keys: Keys, attempt: Attempt, to: number): Call<number | null> {
  const own = [attempt.nonce, attempt.attemptNumber, String(to)];
  return leaseCall(keys, "raise-counters", attempt, own, (reply) => {
    const [raised, counter] = reply as [number, string?];
    return raised === 1 ? Number(counter) : null;
  });
}

export interface LeaseRenewal extends Claim {
  readonly token: number;
  readonly ttlMs: number;
}

/** The terms on which a renewed lease was acquired. */
export interface Renewal {
  readonly mode: Mode;
  readonly owner: string;
  /** JSON. */
  readonly metadata: string;
  readonly chosen: boolean;
  readonly revision: string;
}

export type RenewVote = RenewalVote<Renewal>;

export function renewLease(keys: Keys, lease: LeaseRenewal): Call<RenewVote> {
  const own = [String(lease.token), lease.ttlMs, ...conditionsOf(lease)];
  return leaseCall(keys, "renew-lease", lease, own, (reply): RenewVote => {
    const [extended, ...rest] = reply as [number, ...string[]];
    if (extended === 1) {
      const [mode, owner = "", metadata = "", chosen, revision = ""] = rest;
      return { kind: "extended", mode: mode as Mode, owner, metadata, chosen: chosen === "1", revision };
    }
    const [why, detail = "", reason = ""] = rest;
    switch (why) {
      case "taken":
        return { kind: "taken", counter: Number(detail) };
      case "ended":
        return endingOf(detail, reason);
      case "mismatch":
        return { kind: "other" };
      default:
        return { kind: why === "missing" || why === "forgotten" ? why : "regranted" };
    }
  });
}

/** How a lease was ended, according to its tombstone. */
export type Ending = { readonly kind: "released" } | { readonly kind: "broken"; readonly reason: string };

const endingOf = (kind: string, reason = ""): Ending =>
  kind === "broken" ? { kind, reason } : { kind: "released" };

/** How the lease was ended here; null: it was not, as far as this primary knows. */
export function readTombstone(keys: Keys, leaseId: string): Call<Ending | null> {
  return leaseCall(keys, "read-tombstone", { ...NOBODY, leaseId }, [], (reply) => {
    const [kind = "", reason] = reply as string[];
    return kind === "unknown" ? null : endingOf(kind, reason);
  });
}

/** Returns whether this primary now has the lease. */
export function repairLease(keys: Keys, lease: LeaseRenewal, renewal: Renewal): Call<boolean> {
  const { mode, owner, metadata, chosen, revision } = renewal;
  const terms = [String(lease.token), lease.ttlMs, owner, metadata, flag(chosen), revision];
  return leaseCall(keys, "repair-lease", { ...lease, mode }, [...terms, ...conditionsOf(lease)], isOne);
}

/** The last attempt that got the lease here, empty if it was repaired; null if the lease held no name. */
export function releaseLease(
  keys: Keys,
  claim: Claim,
  tombstone: { readonly forMs: number; readonly always: boolean; readonly brokenFor: string | null },
): Call<string | null> {
  const { forMs, always, brokenFor } = tombstone;
  const own = [forMs, flag(always), brokenFor === null ? "released" : "broken", brokenFor ?? ""];
  return leaseCall(keys, "release-lease", claim, own, (reply) => {
    const [held, attempt] = reply as [number, string];
    return held === 1 ? attempt : null;
  });
}

/** Returns whether holds were freed. `refuseForMs` 0: no message of the attempt can still be under way. */
export function abandonAttempt(keys: Keys, attempt: Attempt, refuseForMs: number): Call<boolean> {
  const own = [attempt.nonce, attempt.attemptNumber, refuseForMs];
  return leaseCall(keys, "abandon-attempt", attempt, own, isOne);
}

/** Returns whether the lease is held here; if so, its metadata have this revision or a later one. */
export function proclaim(
  keys: Keys,
  lease: Claim & { readonly token: number },
  revision: string,
  metadata: string,
): Call<boolean> {
  return leaseCall(keys, "proclaim", lease, [String(lease.token), revision, metadata], isOne);
}

const flag = (isSet: boolean) => (isSet ? "1" : "");
/** The conditions of a grant, which a primary keeps for as long as the lease lives. */
const conditionsOf = ({ fingerprint, limit }: Claim) => [fingerprint ?? "", limit?.permits ?? ""];
