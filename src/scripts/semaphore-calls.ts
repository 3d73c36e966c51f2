import type { Keys } from "./keys.js";
import { type Hold, leaseCall, NOBODY, parseHold } from "./lease-calls.js";
import { type Call, SCRIPTS } from "./scripts.js";

/** Where the parts of a semaphore are. */
export interface SemaphoreClaim {
  readonly name: string;
  readonly queue: string;
  /** What the names of its slots begin with, `permit/pool/`. */
  readonly slots: string;
}

/** What one primary says of slots that a lease has, or may ask for. */
export interface FoundSlots {
  /** Null where nobody holds any, and nobody did until lately. */
  readonly limit: number | null;
  /** The limit was lowered, and a slot above it is held: none is granted before that has ended. */
  readonly above: boolean;
  /** The leaseId was used before, by one that chose it: it may have slots of which nothing is noted. */
  readonly used: boolean;
  /** More may be free than were found in one call. */
  readonly more: boolean;
  readonly mine: readonly number[];
  /** Free ones: some more than were wanted, where there are so many. */
  readonly free: readonly number[];
  /** Those that end first; only where too few are free. */
  readonly taken: readonly number[];
}

/** What is looked for: slots that a lease has, and free ones for `permits` more. */
export interface SlotsWanted {
  readonly leaseId: string;
  readonly fingerprint: string | null;
  /** Of how many. */
  readonly limit: number;
  /** 0: only what the lease has. */
  readonly permits: number;
  /** Free ones are told from here on, on all primaries alike: so they tell the same, as far as they agree. */
  readonly start: number;
}

export function findSlots(keys: Keys, semaphore: SemaphoreClaim, wanted: SlotsWanted): Call<FoundSlots> {
  const { leaseId, fingerprint, limit, permits, start } = wanted;
  const claim = { ...claimOf(semaphore), leaseId, fingerprint };
  const args = [keys.holdsIn(semaphore.slots), limit, permits, start];
  return leaseCall(keys, "find-slots", claim, args, (reply) => {
    const [stored, above, used, more, ...lists] = reply as [string | number, ...unknown[]];
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

/** What one primary knows of a semaphore. */
export interface SemaphoreView {
  readonly limit: number | null;
  readonly waiting: number;
  /** In the order of their first slots. */
  readonly leases: readonly {
    /** A secret. */
    readonly leaseId: string;
    readonly slots: readonly number[];
    /** Only of some. */
    readonly hold: Hold | null;
  }[];
}

/** Looks at every slot. `described`: how many holds are told, of leases whose first slot lies behind `after`. */
export function inspectSemaphore(
  keys: Keys,
  semaphore: SemaphoreClaim,
  { described, after }: { readonly described: number; readonly after: number },
): Call<SemaphoreView> {
  const args = [keys.holdsIn(semaphore.slots), described, after];
  return leaseCall(keys, "inspect-semaphore", claimOf(semaphore), args, (reply) => {
    const [limit, waiting, ...leases] = reply as [
      string | number,
      number,
      ...[string, string, ...unknown[]][],
    ];
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
  return {
    script: SCRIPTS["set-limit"],
    keys: [keys.limit(semaphore)],
    args: [limit, keptMs],
    parse: () => {},
  };
}

const claimOf = ({ name, queue: line }: SemaphoreClaim) => ({
  ...NOBODY,
  resources: [],
  queues: [line],
  limit: { semaphore: name, permits: 0 },
});

const toLimit = (stored: string | number) => (stored === "" ? null : Number(stored));
