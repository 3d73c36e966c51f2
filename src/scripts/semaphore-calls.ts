import { type Hold, parseHold } from "./hold.js";
import type { Keys } from "./keys.js";
import { leaseCall, NOBODY } from "./lease-calls.js";
import { resourceOf } from "./resource-kinds.js";
import { type Call, scriptCall } from "./scripts.js";

/** What one primary knows about the slots that a lease has, or may ask for. */
export interface FoundSlots {
  /** Null if nobody holds a slot, nor did so recently. */
  readonly limit: number | null;
  /** The limit was lowered, and a slot above it is held: no permit is granted before that hold has ended. */
  readonly above: boolean;
  /** The leaseId was used before, by a caller that chose it: it may have slots that are not in the index. */
  readonly used: boolean;
  /** More slots may be free than were found in one call. */
  readonly more: boolean;
  readonly mine: readonly number[];
  /** Free slots: some more than were wanted, if there are that many. */
  readonly free: readonly number[];
  /** The taken slots that end first; only if too few are free. */
  readonly taken: readonly number[];
}

/** Which slots to find: those that a lease has, and free ones for `permits` more. */
export interface SlotsWanted {
  readonly leaseId: string;
  readonly fingerprint: string | null;
  /** Number of slots of the semaphore, according to the caller. */
  readonly limit: number;
  /** How many free slots are wanted; 0: only those that the lease has. */
  readonly permits: number;
  /** The search for free slots begins here on all primaries, so that they find the same ones, as far as they agree. */
  readonly start: number;
}

export function findSlots(keys: Keys, semaphore: string, wanted: SlotsWanted): Call<FoundSlots> {
  const { leaseId, fingerprint, limit, permits, start } = wanted;
  const claim = { ...claimOf(semaphore), leaseId, fingerprint };
  const args = [keys.holdsIn(slotsOf(semaphore)), limit, permits, start];
  return leaseCall(keys, "find-slots", claim, args, (reply) => {
    const [stored, above, used, more, ...lists] = reply as [string, ...unknown[]];
    const [mine = [], free = [], taken = []] = lists.map((slots) => (slots as unknown[]).map(Number));
    return {
      limit: toLimit(stored),
      above: above === "1",
      used: used === "1",
      more: more === "1",
      mine,
      free,
      taken,
    };
  });
}

/** What one primary knows about a semaphore. */
export interface SemaphoreView {
  readonly limit: number | null;
  readonly waiting: number;
  /** In the order of their first slots. */
  readonly leases: readonly {
    /** A secret. */
    readonly leaseId: string;
    readonly slots: readonly number[];
    /** Only for some leases; null for the others. */
    readonly hold: Hold | null;
  }[];
}

/** Examines every slot. `described`: how many holds are described, of leases whose first slot comes after `after`. */
export function inspectSemaphore(
  keys: Keys,
  semaphore: string,
  { described, after }: { readonly described: number; readonly after: number },
): Call<SemaphoreView> {
  const args = [keys.holdsIn(slotsOf(semaphore)), described, after];
  return leaseCall(keys, "inspect-semaphore", claimOf(semaphore), args, (reply) => {
    const [limit, waiting, ...leases] = reply as [string, number, ...[string, string, ...unknown[]][]];
    return {
      limit: toLimit(limit),
      waiting: Number(waiting),
      leases: leases.map(([slots, leaseId, ...hold]) => ({
        leaseId,
        slots: slots.split(" ").map(Number),
        hold: hold.length > 0 ? parseHold(hold) : null,
      })),
    };
  });
}

export function setLimit(keys: Keys, semaphore: string, limit: number, keptMs: number): Call<void> {
  return scriptCall("set-limit", [keys.limit(semaphore)], [limit, keptMs]);
}

/** The queue of a semaphore. */
export const queueOf = (semaphore: string) => `semaphore/${semaphore}`;
/** Prefix of the resources that are its slots, `permit/pool/`. */
export const slotsOf = (semaphore: string) => resourceOf("permit", `${semaphore}/`);

const claimOf = (semaphore: string) => ({
  ...NOBODY,
  queues: [queueOf(semaphore)],
  limit: { semaphore, permits: 0 },
});

const toLimit = (stored: string) => (stored === "" ? null : Number(stored));
