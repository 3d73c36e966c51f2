import type { Suspected } from "../../../algorithms/suspicion.js";
import type { Clock } from "../../../clock.js";
import type { StoredEvent } from "../../../scripts/event-calls.js";
import type { MemberRecord } from "../../../scripts/member-calls.js";
import type { Suspicions } from "../suspicions.js";
import { type DoubtfulMembers, doubtfulOf } from "./doubtful-members.js";

/** The feed whose members they are. */
export interface Suspectable {
  /** Of a live member. */
  eventOf(id: string): StoredEvent | undefined;
  /** Ids of the live members. */
  ids(): readonly string[];
  /** Ids of those of which a primary says that they have expired, and no majority does. */
  disputed(): readonly string[];
  /** Takes over its status, which nobody is told. */
  mark(event: StoredEvent): void;
  tell(event: StoredEvent): void;
}

/**
 * Which members of a service are suspect: others have reported them, or nobody can say whether they have expired. That is no
 * part of a record, and so no event of a primary: it is looked at every second, and told as it is found.
 */
export class FeedSuspects {
  readonly #reports: Look;
  readonly #doubts: Look;
  #reported = new Map<string, Suspected>();
  #doubtful = new Map<string, Suspected>();
  #known = new Map<string, Suspected>();

  constructor(
    private readonly service: string,
    private readonly suspicions: Pick<Suspicions, "suspected">,
    private readonly doubtfulMembers: Pick<DoubtfulMembers, "find">,
    private readonly clock: Pick<Clock, "monotonicMs" | "sleep">,
    private readonly feed: Suspectable,
  ) {
    this.#reports = new Look(clock, () => this.#lookAtReports());
    this.#doubts = new Look(clock, () => this.#lookForDoubtful());
  }

  /** Those who are suspect now, each by the event that told of it. */
  now(): StoredEvent[] {
    return [...this.#known].flatMap(([id, known]) => suspectEvent(this.feed.eventOf(id), known) ?? []);
  }

  /** Whoever watches gets a snapshot of these. */
  async begin(live: readonly MemberRecord[]): Promise<void> {
    this.#doubtful = doubtfulOf(live);
    const reported = await this.suspicions.suspected(this.service).catch(() => this.#reported);
    this.#reported = new Map(reported);
    this.#known = this.#found();
    for (const event of this.now()) this.feed.mark(event);
  }

  /** Tells of members that have become suspect, or are not any more, soon after that was found. */
  look(): void {
    this.#reports.ifDue();
    this.#doubts.ifDue();
  }

  /** The event with the status that its member has by what is known. */
  judged(event: StoredEvent): StoredEvent {
    // A new registration begins without reports, and in time.
    if (event.revision === 1)
      for (const suspects of [this.#reported, this.#doubtful, this.#known]) suspects.delete(event.id);
    return event.status === "up" && this.#known.has(event.id) ? { ...event, status: "suspect" } : event;
  }

  async #lookAtReports(): Promise<void> {
    this.#reported = new Map(await this.suspicions.suspected(this.service));
    await this.#tellChanges();
  }

  async #lookForDoubtful(): Promise<void> {
    const disputed = new Set([...this.feed.disputed(), ...this.#doubtful.keys()]);
    this.#doubtful = await this.doubtfulMembers.find(this.service, [...disputed], () => this.feed.ids());
    await this.#tellChanges();
  }

  #found(): Map<string, Suspected> {
    return new Map([...this.#doubtful, ...this.#reported]);
  }

  /** Not of all at once: a guard may keep thousands, and whoever watches would be too slow for them. */
  async #tellChanges(): Promise<void> {
    const before = this.#known;
    const now = this.#found();
    this.#known = now;
    const begun = [...now.keys()].filter((id) => !before.has(id));
    const over = [...before.keys()].filter((id) => !now.has(id));
    for (const [place, id] of [...begun, ...over].entries()) {
      if (place > 0 && place % TOLD_AT_ONCE_MAX === 0) await this.clock.sleep(TOLD_INTERVAL_MS);
      this.#tell(id, before.get(id));
    }
  }

  /** How it is by now; `before`: when it was looked at before. */
  #tell(id: string, before: Suspected | undefined): void {
    const event = this.feed.eventOf(id);
    const known = this.#known.get(id);
    const suspect = known && suspectEvent(event, known);
    if (suspect) this.feed.tell(suspect);
    else if (!known && before && event?.status === "suspect")
      this.feed.tell({
        ...event,
        kind: "updated",
        why: "not suspect any more",
        status: "up",
        episode: before.episode,
      });
  }
}

/** Work that is done once a second, as long as it is asked for. One that fails, since no majority answers, has found nothing. */
class Look {
  #nextMs = 0;

  constructor(
    private readonly clock: Pick<Clock, "monotonicMs">,
    private readonly work: () => Promise<void>,
  ) {}

  ifDue(): void {
    if (this.clock.monotonicMs() < this.#nextMs) return;
    this.#nextMs = Number.POSITIVE_INFINITY;
    void this.#run();
  }

  async #run(): Promise<void> {
    const startedMs = this.clock.monotonicMs();
    await this.work().catch(() => {});
    this.#nextMs = startedMs + LOOK_INTERVAL_MS;
  }
}

/** One that drains keeps that status, and one that restarts is suspect already. */
function suspectEvent(event: StoredEvent | undefined, { episode, why }: Suspected): StoredEvent | null {
  if (!event || event.status === "draining" || event.status === "restarting") return null;
  return { ...event, kind: "suspect", why, status: "suspect", episode };
}

const LOOK_INTERVAL_MS = 1_000;
/** Much less than a watcher may be behind. */
const TOLD_AT_ONCE_MAX = 200;
const TOLD_INTERVAL_MS = 20;
