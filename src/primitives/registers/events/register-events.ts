import type { Clock } from "../../../clock.js";
import { CoordinationError } from "../../../errors.js";
import type { RegisterNews } from "../register-news.js";
import type { RegisterPages } from "../register-pages.js";
import type { Registers } from "../registers.js";
import { RegisterFeed } from "./register-feed.js";
import { RegisterWatch } from "./register-watch.js";

/** Changes of registers whose names begin alike, for any number of watchers: one feed per beginning that is watched here. */
export class RegisterEvents {
  readonly #feeds = new Map<string, RegisterFeed>();
  #looking = false;

  constructor(
    private readonly registers: Pick<Registers, "inspect">,
    private readonly pages: Pick<RegisterPages, "page" | "heads">,
    private readonly news: RegisterNews,
    private readonly majority: number,
    private readonly clock: Clock,
    /** What they are. */
    private readonly what: "registers" | "transactions" = "registers",
    private readonly bounds: Bounds = BOUNDS,
  ) {}

  /**
   * From a snapshot on. `beginning`: a kind and a namespace at least. `isFor`: whether the watcher is told of a register. Throws
   * `no_quorum`, and `overloaded` where this instance follows as much as it can.
   */
  async watch(beginning: string, isFor: (name: string) => boolean): Promise<RegisterWatch> {
    const feed = this.#feed(beginning);
    const watch: RegisterWatch = new RegisterWatch(feed, isFor, this.clock, () => this.#leave(feed, watch));
    feed.watches.add(watch);
    try {
      await feed.ready;
      return watch;
    } catch (error) {
      this.#leave(feed, watch);
      throw error;
    }
  }

  /** How many beginnings are followed now. */
  get feeds(): number {
    return this.#feeds.size;
  }

  close(): void {
    for (const feed of this.#feeds.values()) this.#end(feed);
  }

  #feed(beginning: string): RegisterFeed {
    const watchers = this.#sum(({ watches }) => watches.size);
    if (watchers >= this.bounds.watchersMax)
      throw tooMany(`${this.bounds.watchersMax} watchers of ${this.what}`);
    const known = this.#feeds.get(beginning);
    if (known) return known;
    if (this.#feeds.size >= this.bounds.feedsMax)
      throw tooMany(`${this.bounds.feedsMax} prefixes of ${this.what}`);
    const { registers, pages, news, majority, clock } = this;
    const feed: RegisterFeed = new RegisterFeed(beginning, { registers, pages, news, majority, clock }, () =>
      this.#mayKnow(feed),
    );
    this.#feeds.set(beginning, feed);
    // Whoever comes next begins anew.
    feed.ready.then(
      () => this.#look(),
      () => this.#end(feed),
    );
    return feed;
  }

  #mayKnow(feed: RegisterFeed): void {
    if (this.#sum(({ size }) => size) < this.bounds.knownMax) return;
    this.#end(feed);
    throw tooMany(`${this.bounds.knownMax} ${this.what}`);
  }

  #leave(feed: RegisterFeed, watch: RegisterWatch): void {
    feed.watches.delete(watch);
    if (feed.watches.size === 0) this.#end(feed);
  }

  #end(feed: RegisterFeed): void {
    if (this.#feeds.get(feed.beginning) !== feed) return;
    this.#feeds.delete(feed.beginning);
    feed.end();
  }

  /** One part of one feed after the other, for as long as there are any. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    while (this.#feeds.size > 0) {
      const startedMs = this.clock.monotonicMs();
      const ready = [...this.#feeds.values()].filter(({ hasLooked }) => hasLooked);
      const [next] = ready.sort((one, other) => one.dueMs - other.dueMs);
      // While no majority answers, nothing is known to have changed.
      if (next && next.dueMs <= startedMs) await next.look().catch(() => {});
      const tookMs = this.clock.monotonicMs() - startedMs;
      await this.clock.sleep(Math.min(Math.max(tookMs * REST, REST_MS_MIN), REST_MS_MAX));
    }
    this.#looking = false;
  }

  #sum(of: (feed: RegisterFeed) => number): number {
    let sum = 0;
    for (const feed of this.#feeds.values()) sum += of(feed);
    return sum;
  }
}

/** Of one instance. */
export interface Bounds {
  readonly watchersMax: number;
  /** Different beginnings that are watched. */
  readonly feedsMax: number;
  /** Registers that begin so, of all of them together: some 200 bytes each. */
  readonly knownMax: number;
}

const BOUNDS: Bounds = { watchersMax: 1_000, feedsMax: 256, knownMax: 200_000 };

function tooMany(what: string): CoordinationError {
  return new CoordinationError(
    "overloaded",
    `This instance follows ${what}, and can follow no more. Use another instance, or follow fewer.`,
    { help: { retryAfterMs: 10_000 } },
  );
}

/** A part takes some 1.5 ms of a primary: looking takes it for a twentieth of the time at most. */
const REST = 20;
const REST_MS_MIN = 20;
const REST_MS_MAX = 2_000;
