import type { Ballot } from "../../../algorithms/ballot.js";
import { compareInUtf8 } from "../../../algorithms/utf8-order.js";
import type { Clock } from "../../../clock.js";
import type { Follower, RegisterNews } from "../register-news.js";
import type { RegisterPage, RegisterPages } from "../register-pages.js";
import type { Registers } from "../registers.js";
import type { RegisterWatch, Source } from "./register-watch.js";

export interface FeedDependencies {
  readonly registers: Pick<Registers, "inspect">;
  readonly pages: Pick<RegisterPages, "page" | "heads">;
  readonly news: Pick<RegisterNews, "follow" | "heardOn">;
  readonly majority: number;
  readonly clock: Clock;
}

/**
 * The registers whose names begin alike, for all who watch them here. It knows the ETag of each. What it hears has changed it
 * reads, and tells its watchers of what differs from what it knew; and it looks for what it has not heard of, part by part.
 */
export class RegisterFeed implements Follower, Source {
  readonly watches = new Set<RegisterWatch>();
  readonly #known = new Map<string, Ballot>();
  /** Names to read, and who is told even where nothing has changed. */
  readonly #toRead = new Map<string, Set<RegisterWatch>>();
  readonly #reading = new Set<string>();
  readonly #stop: () => void;
  #lookedUpTo: string | null = null;
  /** Whether it knows all. */
  hasLooked = false;
  #ended = false;
  /** When the next part is to be looked at. */
  dueMs = 0;
  /** Resolves when it knows all. Rejects with `no_quorum`, and as `mayKnow` throws. */
  readonly ready: Promise<void>;

  constructor(
    readonly beginning: string,
    private readonly dependencies: FeedDependencies,
    /** Throws if this instance cannot know of more registers. */
    private readonly mayKnow: () => void,
  ) {
    this.#stop = dependencies.news.follow(this);
    this.ready = this.#begin();
  }

  /** Of how many registers it knows. */
  get size(): number {
    return this.#known.size;
  }

  page(after: string | null): Promise<RegisterPage> {
    return this.dependencies.pages.page(this.beginning, after, SNAPSHOT_PART);
  }

  readFor(watch: RegisterWatch, names: Iterable<string>): void {
    for (const name of names) {
      const told = this.#toRead.get(name) ?? new Set();
      this.#toRead.set(name, told.add(watch));
    }
    this.#read();
  }

  heard(name: string): void {
    if (this.#toRead.has(name)) return;
    this.#toRead.set(name, new Set());
    this.#read();
  }

  missed(): void {
    this.dueMs = 0;
  }

  /** Nobody watches any more, or nobody can. */
  end(): void {
    this.#ended = true;
    this.#stop();
    for (const watch of this.watches) watch.stop();
  }

  /** Looks at the next part for what it has not heard of. Rejects with `no_quorum`. */
  async look(): Promise<void> {
    const { pages, clock } = this.dependencies;
    const after = this.#lookedUpTo;
    this.dueMs = clock.monotonicMs() + LOOK_INTERVAL_MS;
    const { etags, upTo } = await pages.heads(this.beginning, after);
    if (this.#ended) return;
    for (const [name, etag] of etags) this.#found(name, etag);
    // In the part, but not among those that live.
    for (const name of this.#known.keys())
      if (isIn(name, after, upTo) && !etags.has(name)) this.#found(name, null);
    this.#lookedUpTo = upTo;
    if (upTo !== null) this.dueMs = 0;
    this.hasLooked ||= upTo === null;
  }

  #found(name: string, etag: Ballot | null): void {
    if ((this.#known.get(name) ?? null) === etag) return;
    // Before anybody watches, it only takes note.
    if (this.hasLooked) this.heard(name);
    else if (etag !== null) this.#know(name, etag);
  }

  /** First it hears what changes, then it finds out what there is. */
  async #begin(): Promise<void> {
    const { news, majority, clock } = this.dependencies;
    const startedMs = clock.monotonicMs();
    while (news.heardOn(this.beginning) < majority && clock.monotonicMs() - startedMs < HEARING_MS_MAX)
      await clock.sleep(HEARING_STEP_MS);
    while (!this.hasLooked && !this.#ended) await this.look();
  }

  #read(): void {
    for (const [name, told] of this.#toRead) {
      if (this.#reading.size >= READS_AT_ONCE_MAX) return;
      // One after the other, so that watchers are told of its versions in their order.
      if (this.#reading.has(name)) continue;
      this.#toRead.delete(name);
      this.#reading.add(name);
      void this.#readOne(name, told);
    }
  }

  async #readOne(name: string, told: ReadonlySet<RegisterWatch>): Promise<void> {
    try {
      const { register } = await this.dependencies.registers.inspect(name);
      const before = this.#known.get(name) ?? null;
      if (register) this.#know(name, register.etag);
      else this.#known.delete(name);
      const isNew = (register?.etag ?? null) !== before;
      for (const watch of isNew ? this.watches : told) watch.tell({ name, register });
    } catch {
      // It is found again by looking; those that asked must not wait for it in vain.
      for (const watch of told)
        this.dependencies.clock.after(LOOK_INTERVAL_MS, () => this.#again(name, watch));
    }
    this.#reading.delete(name);
    if (!this.#ended) this.#read();
  }

  #again(name: string, watch: RegisterWatch): void {
    if (!this.#ended && this.watches.has(watch)) this.readFor(watch, [name]);
  }

  #know(name: string, etag: Ballot): void {
    if (!this.#known.has(name)) this.mayKnow();
    this.#known.set(name, etag);
  }
}

const isIn = (name: string, after: string | null, upTo: string | null): boolean =>
  (after === null || compareInUtf8(name, after) > 0) && (upTo === null || compareInUtf8(name, upTo) <= 0);

const SNAPSHOT_PART = 500;
const READS_AT_ONCE_MAX = 16;
const LOOK_INTERVAL_MS = 1_000;
/** How long it waits until it hears a majority of the primaries. */
const HEARING_MS_MAX = 500;
const HEARING_STEP_MS = 5;
