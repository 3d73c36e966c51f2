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
    clock: Clock,
    private readonly feed: Suspectable,
  ) {
    this.#reports = new Look(clock, () => this.#lookAtReports());
    this.#doubts = new Look(clock, () => this.#lookForDoubtful());
  }

  /** Those who are suspect now, each by the event that told of it. */
  now(): StoredEvent[] {
    return [...this.#known].flatMap(([id, known]) => suspectEvent(this.feed.eventOf(id), known) ?? []);
  }

  /** All are told anew, to those that are live now. */
  async begin(live: readonly MemberRecord[]): Promise<void> {
    this.#known = new Map();
    this.#doubtful = doubtfulOf(live);
    await this.#lookAtReports().catch(() => this.#tellChanges());
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
    this.#tellChanges();
  }

  async #lookForDoubtful(): Promise<void> {
    const disputed = new Set([...this.feed.disputed(), ...this.#doubtful.keys()]);
    this.#doubtful = await this.doubtfulMembers.find(this.service, [...disputed], () => this.feed.ids());
    this.#tellChanges();
  }

  #tellChanges(): void {
    const before = this.#known;
    const found = new Map([...this.#doubtful, ...this.#reported]);
    this.#known = found;
    for (const [id, known] of found) {
      const event = before.has(id) ? null : suspectEvent(this.feed.eventOf(id), known);
      if (event) this.feed.tell(event);
    }
    for (const [id, { episode }] of before) {
      const event = found.has(id) ? undefined : this.feed.eventOf(id);
      if (event?.status === "suspect")
        this.feed.tell({ ...event, kind: "updated", why: "not suspect any more", status: "up", episode });
    }
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
