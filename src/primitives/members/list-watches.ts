import type { Clock } from "../../clock.js";
import type { InFlight } from "../leases/lease-terms.js";
import { type Versioned, Watches } from "../reads/watch.js";
import { type GoneMember, toGone } from "./gone-member.js";
import type { Member } from "./member.js";
import { filterKey, type MemberFilter, matches, versionOf } from "./member-filter.js";
import type { FirstPage, MemberPages } from "./member-pages.js";
import type { Census } from "./member-reads.js";

/** The part of a service that a reader waits for a change of. */
export interface ListAsked {
  readonly limit: number;
  readonly filter: MemberFilter;
}

/** All members of a service, with the status of those that live. */
export interface JudgedCensus extends Pick<Census, "gone"> {
  readonly live: readonly Member[];
}

/**
 * Blocking reads of the members of services. All readers of one service share its reads, whatever they filter by: only a
 * change of the service is looked at for each of them.
 */
export class ListWatches {
  readonly #watches: Watches<ListState>;
  /** Made once for all readers who share a read: thousands may begin to wait together. */
  readonly #states = new WeakMap<JudgedCensus, ListState>();

  constructor(
    list: (service: string) => Promise<JudgedCensus>,
    private readonly pages: Pick<MemberPages, "first">,
    private readonly clock: Clock,
  ) {
    this.#watches = new Watches(clock, async (service) => this.#stateOf(await list(service)));
  }

  /** The first page once the version of its list is not `version`, or when `deadlineMs` has passed. Throws `no_quorum`. */
  async change(
    service: string,
    { limit, filter }: ListAsked,
    version: string | null,
    deadlineMs: number,
    signal?: AbortSignal,
    inFlight?: InFlight,
  ): Promise<FirstPage> {
    const isOther = (state: ListState) => state.versionFor(filter) !== version;
    for (;;) {
      await this.#watches.until(service, isOther, deadlineMs, signal, inFlight);
      const page = await this.pages.first(service, limit, filter);
      // What has changed back again is no change.
      if (page.version !== version || signal?.aborted || this.clock.monotonicMs() >= deadlineMs) return page;
    }
  }

  #stateOf(census: JudgedCensus): ListState {
    const known = this.#states.get(census);
    if (known) return known;
    const state = new ListState(census);
    this.#states.set(census, state);
    return state;
  }
}

/** All members of a service at one time. */
class ListState implements Versioned {
  readonly version: string;
  readonly #versions = new Map<string, string>();
  readonly #live: readonly Member[];
  readonly #gone: readonly GoneMember[];

  constructor({ live, gone }: JudgedCensus) {
    this.#live = live;
    this.#gone = gone.map(toGone);
    this.version = versionOf([...this.#live, ...this.#gone]);
  }

  /** Made once for all readers with the same filter. */
  versionFor(filter: MemberFilter): string {
    const key = filterKey(filter);
    const known = this.#versions.get(key);
    if (known !== undefined) return known;
    const asked = filter.includeGone ? [...this.#live, ...this.#gone] : this.#live;
    const version = versionOf(asked.filter((member) => matches(member, filter)));
    this.#versions.set(key, version);
    return version;
  }
}
