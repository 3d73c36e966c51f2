import type { Clock } from "../../../clock.js";
import type { StoredEvent } from "../../../scripts/event-calls.js";
import type { Suspected, Suspicions } from "../suspicions.js";

/**
 * Which members of a service are suspect. That is no part of a record, and so no event of a primary: it is looked at every
 * second, and told as it is found.
 */
export class FeedSuspects {
  #known = new Map<string, Suspected>();
  #nextMs = 0;

  constructor(
    private readonly service: string,
    private readonly suspicions: Pick<Suspicions, "suspected">,
    private readonly clock: Clock,
  ) {}

  /** Those who are suspect now, each by the event that told of it. `eventOf`: of a live member. */
  now(eventOf: (id: string) => StoredEvent | undefined): StoredEvent[] {
    return [...this.#known].flatMap(([id, known]) => suspectEvent(eventOf(id), known) ?? []);
  }

  /** All are told anew. */
  forget(): void {
    this.#known = new Map();
    this.#nextMs = 0;
  }

  /** What has changed: events of members that have become suspect, or are not any more. `eventOf`: of a live member. */
  async look(eventOf: (id: string) => StoredEvent | undefined): Promise<StoredEvent[]> {
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.#nextMs) return [];
    this.#nextMs = nowMs + LOOK_INTERVAL_MS;
    const found = await this.suspicions.suspected(this.service).catch(() => null);
    // While no majority answers, nothing is known to have changed.
    if (!found) return [];
    const before = this.#known;
    this.#known = new Map(found);
    const told: StoredEvent[] = [];
    for (const [id, known] of found) {
      const event = before.has(id) ? null : suspectEvent(eventOf(id), known);
      if (event) told.push(event);
    }
    for (const [id, { episode }] of before) {
      const event = found.has(id) ? undefined : eventOf(id);
      if (event?.status === "suspect")
        told.push({ ...event, kind: "updated", why: "not suspect any more", status: "up", episode });
    }
    return told;
  }

  /** The event with the status that its member has by what is known. */
  judged(event: StoredEvent): StoredEvent {
    // A new registration begins without reports.
    if (event.revision === 1) this.#known.delete(event.id);
    return event.status === "up" && this.#known.has(event.id) ? { ...event, status: "suspect" } : event;
  }
}

function suspectEvent(event: StoredEvent | undefined, { episode, why }: Suspected): StoredEvent | null {
  if (!event || event.status === "draining") return null;
  return { ...event, kind: "suspect", why, status: "suspect", episode };
}

const LOOK_INTERVAL_MS = 1_000;
