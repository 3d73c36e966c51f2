import type { Clock } from "../../../clock.js";
import { CoordinationError } from "../../../errors.js";
import type { Primaries } from "../../../quorum/primaries.js";
import type { Keys } from "../../../scripts/keys.js";
import type { Membership } from "../membership.js";
import { DoubtfulMembers } from "./doubtful-members.js";
import { EventFeed } from "./event-feed.js";
import { EventTails } from "./event-tails.js";
import { EventWatch } from "./event-watch.js";
import { type History, MemberHistories } from "./member-histories.js";

/** The events of the members of services, for any number of watchers: one feed per service that is watched here. */
export class MemberEvents {
  readonly #tails: EventTails;
  readonly #histories: MemberHistories;
  readonly #doubtful: DoubtfulMembers;
  readonly #feeds = new Map<string, { readonly feed: EventFeed; users: number }>();

  constructor(
    private readonly primaries: Primaries,
    private readonly members: Pick<Membership, "reads" | "suspicions">,
    keys: Keys,
    private readonly clock: Clock,
  ) {
    this.#tails = new EventTails(primaries.all, keys, clock);
    this.#histories = new MemberHistories(primaries, keys, clock);
    this.#doubtful = new DoubtfulMembers(primaries, keys, members.reads, clock);
  }

  /** From the position that a watcher was told; null, or too old: from a snapshot. Throws `no_quorum` and `overloaded`. */
  async watch(service: string, since: string | null): Promise<EventWatch> {
    const { feed, release } = this.#use(service);
    try {
      await feed.ready;
      return new EventWatch(feed, since, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** What happened to a member, or to one that is gone. Throws `no_quorum`. */
  history(service: string, id: string): Promise<History> {
    return this.#histories.read(service, id);
  }

  /** How many services are watched now, or were a moment ago. */
  get feeds(): number {
    return this.#feeds.size;
  }

  /** The feed of a service, for as long as anybody uses it and a little longer. */
  #use(service: string): { readonly feed: EventFeed; readonly release: () => void } {
    let shared = this.#feeds.get(service);
    if (!shared) {
      if (this.#feeds.size >= FEEDS_MAX) throw tooManyFeeds();
      const feed = new EventFeed(service, this.primaries, this.members, this.#doubtful, this.clock);
      shared = { feed, users: 0 };
      this.#feeds.set(service, shared);
      this.#tails.add(feed);
      // Whoever comes next begins anew.
      feed.ready.catch(() => this.#end(service, feed));
    }
    const { feed } = shared;
    shared.users += 1;
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      shared.users -= 1;
      if (shared.users > 0) return;
      this.clock.after(UNUSED_MS_MAX, () => {
        if (shared.users === 0) this.#end(service, feed);
      });
    };
    return { feed, release };
  }

  #end(service: string, feed: EventFeed): void {
    if (this.#feeds.get(service)?.feed !== feed) return;
    this.#feeds.delete(service);
    this.#tails.remove(feed);
    feed.end();
  }
}

function tooManyFeeds(): CoordinationError {
  return new CoordinationError(
    "overloaded",
    `This instance follows the events of ${FEEDS_MAX} services, and can follow no more. Use another instance.`,
    { help: { retryAfterMs: 10_000 } },
  );
}

/** Services that are watched at one instance: some 0.5 MB each, and 30 us of a primary's time every second. */
const FEEDS_MAX = 1_000;
/** A watcher whose connection was cut comes back. */
const UNUSED_MS_MAX = 10_000;
