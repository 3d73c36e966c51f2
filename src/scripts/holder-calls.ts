import { type Hold, parseHold } from "./hold.js";
import type { Keys } from "./keys.js";
import { leaseCall, type Mode, NOBODY } from "./lease-calls.js";
import { type Call, scriptCall } from "./scripts.js";
import type { Parts } from "./set-calls.js";

// Reads a name, the list of held names, and the holders of a name, in parts small enough for a primary to serve them quickly.

/** A waiter, without its secret. */
export interface Waiter {
  readonly digest: string;
  readonly mode: Mode;
  readonly owner: string;
}

/** What one primary knows about a name. */
export interface NameView {
  /** The name's counter. */
  readonly counter: number;
  readonly holds: readonly Hold[];
  /** Number of waiters. */
  readonly waiting: number;
  /** The first waiters, in queue order. */
  readonly queue: readonly Waiter[];
}

export function inspectName(keys: Keys, resource: string): Call<NameView> {
  const claim = { ...NOBODY, resources: [resource], queues: [resource] };
  return leaseCall(keys, "inspect-name", claim, [LISTED_MAX], (reply) => {
    const [counter, holds, waiting, queue] = reply as [string, unknown[][], number, [string, string][]];
    return {
      counter: Number(counter),
      holds: holds.map(parseHold),
      waiting,
      queue: queue.map(([member, owner]) => ({
        digest: member.slice(1),
        mode: member.startsWith("r") ? "shared" : "exclusive",
        owner,
      })),
    };
  });
}

/** A lease that holds a resource, with all its resources. Its id is a secret. */
export interface HeldLease {
  readonly leaseId: string;
  readonly resources: readonly string[];
}

/** Some of the leases that hold a resource on one primary. */
export function listHolders(keys: Keys, resource: string, from: string): Call<Parts<HeldLease>> {
  const claim = { ...NOBODY, resources: [resource] };
  return leaseCall(keys, "list-holders", claim, [from, HOLDERS_AT_ONCE_MAX], (reply) => {
    const [next, ...holders] = reply as [string, ...[string, string][]];
    return {
      next: next === "0" ? null : next,
      found: holders.map(([leaseId, names]) => ({ leaseId, resources: names.split("\n") })),
    };
  });
}

/** The writer of a resource, and as many of the given readers as fit, from the first on. */
export interface HoldersPart {
  /** How many of the readers were looked at: at least one. */
  readonly lookedAt: number;
  readonly holds: readonly Hold[];
}

/** `leaseIds`: at most `HOLDERS_AT_ONCE_MAX`. */
export function describeHolders(
  keys: Keys,
  resource: string,
  leaseIds: readonly string[],
): Call<HoldersPart> {
  const claim = { ...NOBODY, resources: [resource] };
  return leaseCall(keys, "describe-holders", claim, [leaseIds.join("\n"), PART_BYTES_MAX], (reply) => {
    const [lookedAt, ...holds] = reply as [number, ...unknown[][]];
    return { lookedAt: Number(lookedAt), holds: holds.map(parseHold) };
  });
}

/** Some of the names that one primary knows to be held, in byte order. */
export interface LockPage {
  /** The last name that was looked at; null: all of them were. */
  readonly upTo: string | null;
  readonly locks: readonly { readonly resource: string; readonly holds: readonly Hold[] }[];
}

/** Resources that begin with `prefix`, after `after`. */
export function listLocks(keys: Keys, prefix: string, after: string, most: number): Call<LockPage> {
  const own = [prefix, after, most, keys.holdsIn(), HOLDS_AT_ONCE_MAX, PART_BYTES_MAX];
  return leaseCall(keys, "list-locks", NOBODY, own, (reply) => {
    const [upTo, ...locks] = reply as [string, ...[string, ...unknown[][]][]];
    return {
      upTo: upTo === "" ? null : upTo,
      locks: locks.map(([resource, ...holds]) => ({ resource, holds: holds.map(parseHold) })),
    };
  });
}

/**
 * Returns how many names were removed, and when the next part is due, no matter which instance asks. All names are looked
 * at within half a minute, so the list has no more expired names than half a minute brings. After a part of which half had
 * expired, the next one is due in a quarter of the time. Beyond a million names it takes longer.
 */
export function sweepHeld(keys: Keys): Call<{ readonly forgotten: number; readonly nextInMs: number }> {
  const args = [keys.holdsIn(), SWEEPS_FOR_ALL, SWEPT_AT_ONCE_MAX, SWEEP_PAUSE_MS, SWEEP_PAUSE_MS_MIN];
  return scriptCall("sweep-held", [keys.held], args, (reply) => {
    const [forgotten, nextInMs] = reply as [number, number];
    return { forgotten, nextInMs };
  });
}

const SWEEPS_FOR_ALL = 25;
/** 1 to 2 ms of a primary's time. */
const SWEPT_AT_ONCE_MAX = 500;
/** Less than the second between an instance's calls, so that late calls do not miss every other part. */
const SWEEP_PAUSE_MS = 800;
/** So that sweeping never takes more than a tenth of a primary's time. */
const SWEEP_PAUSE_MS_MIN = 12;

/** Maximum number of holders of a name, and of waiters, that are described. */
export const LISTED_MAX = 100;
/** Maximum readers in one reply, and the number of holds after which a reply takes no more: 2 ms of a primary's time. */
export const HOLDERS_AT_ONCE_MAX = 150;
const HOLDS_AT_ONCE_MAX = 200;
/** Bytes of owners and metadata after which a reply takes no more holds. */
const PART_BYTES_MAX = 256 * 1024;
