import type { Beat, Office } from "../algorithms/consensus-election.js";
import type { Clock } from "../clock.js";
import { BoundedCache } from "./reads/bounded-cache.js";

/** Since when the beats of leaders stand still, by the monotonic clock of this instance, as far as it has looked. */
export class LeaderBeats {
  readonly #since: BoundedCache<Beat & { readonly sinceMs: number }>;

  /** @param ttlMaxMs the longest time for which a beat may stand still. */
  constructor(
    private readonly clock: Clock,
    ttlMaxMs: number,
  ) {
    const bounds = { countMax: SEEN_MAX, sizeMax: SEEN_MAX, unusedMsMax: 2 * ttlMaxMs };
    this.#since = new BoundedCache(clock, bounds);
  }

  /** The beat of the leader, if it has stood still for as long as it takes to be replaced. `office`: as it was just read. */
  still(name: string, office: Office | null): Beat | null {
    if (!office?.leader || this.clock.monotonicMs() < this.replaceableMs(name, office)) return null;
    return { term: office.term, beat: office.leader.beat };
  }

  /** When the leader may be replaced if there is no other beat. `office`: as it was just read. */
  replaceableMs(name: string, { term, leader }: Office): number {
    if (!leader) return this.clock.monotonicMs();
    const known = this.#since.get(name);
    if (known?.term === term && known.beat === leader.beat) return known.sinceMs + leader.ttlMs;
    const sinceMs = this.clock.monotonicMs();
    this.#since.set(name, { term, beat: leader.beat, sinceMs }, 1);
    return sinceMs + leader.ttlMs;
  }
}

/** Elections whose beats an instance remembers: of others that it is asked about it begins to look anew. */
const SEEN_MAX = 10_000;
