import type { Clock } from "../../clock.js";
import { BoundedCache } from "../reads/bounded-cache.js";

/**
 * How many picks each member got from this instance just now: half of them are forgotten every two seconds, since the
 * member's own reports tell of them by then. So the members that reported little do not get everything until they report
 * again.
 */
export class GivenAway {
  readonly #picks: BoundedCache<Picked>;

  constructor(
    private readonly clock: Clock,
    membersMax = MEMBERS_MAX,
  ) {
    const bounds = { countMax: membersMax, sizeMax: membersMax, unusedMsMax: UNUSED_MS_MAX };
    this.#picks = new BoundedCache(clock, bounds);
  }

  to(service: string, id: string): number {
    const picked = this.#picks.get(nameOf(service, id));
    return picked ? this.#left(picked) : 0;
  }

  add(service: string, id: string): void {
    const name = nameOf(service, id);
    const picked = this.#picks.get(name);
    const atMs = this.clock.monotonicMs();
    if (picked) {
      picked.count = this.#left(picked) + 1;
      picked.atMs = atMs;
    } else this.#picks.set(name, { count: 1, atMs }, 1);
  }

  /** How many members are known now. */
  get kept(): number {
    return this.#picks.count;
  }

  #left({ count, atMs }: Picked): number {
    return count * 2 ** ((atMs - this.clock.monotonicMs()) / HALF_LIFE_MS);
  }
}

interface Picked {
  /** As it was at `atMs`. */
  count: number;
  atMs: number;
}

/** Neither a service nor an id contains a space. */
const nameOf = (service: string, id: string) => `${service} ${id}`;

/** As old as a report is on average, with heartbeats every 5 s. */
const HALF_LIFE_MS = 2_000;
/** Then less than a thousandth of them is left. */
const UNUSED_MS_MAX = 20_000;
/** Of all services together: some 10 MB. */
const MEMBERS_MAX = 50_000;
