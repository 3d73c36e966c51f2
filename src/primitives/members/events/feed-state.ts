import { type RingMember, ringIdOf } from "../../../algorithms/ring.js";
import type { StoredEvent } from "../../../scripts/event-calls.js";
import { type Registration, statusOf, toRingMember } from "../member.js";

/** The members of a service at one moment: of each the event that made it so. */
export interface Snapshot {
  readonly members: readonly StoredEvent[];
  readonly ringId: string;
}

/** The live members of a service as its watchers know them. */
export class FeedState {
  readonly #members = new Map<string, { readonly event: StoredEvent; readonly inRing: RingMember | null }>();
  #ringId: string;
  #mayHaveNewRing = false;
  #snapshot: readonly StoredEvent[] | null = null;

  constructor(events: readonly StoredEvent[]) {
    for (const event of events) this.#set(event);
    this.#ringId = this.#nameRing();
  }

  apply(event: StoredEvent): void {
    const before = this.#members.get(event.id)?.inRing ?? null;
    if (event.left || event.expired) this.#members.delete(event.id);
    else this.#set(event);
    const now = this.#members.get(event.id)?.inRing ?? null;
    if (before?.weight !== now?.weight || before?.zone !== now?.zone) this.#mayHaveNewRing = true;
    this.#snapshot = null;
  }

  /** Of a live member. */
  eventOf(id: string): StoredEvent | undefined {
    return this.#members.get(id)?.event;
  }

  /** Of the live members. */
  ids(): string[] {
    return [...this.#members.keys()].sort();
  }

  /** Takes over a status that is no part of a record. */
  mark({ id, status }: StoredEvent): void {
    const known = this.#members.get(id);
    if (known) this.apply({ ...known.event, status });
  }

  /** Made once for all who begin before the next event. */
  snapshot(): Snapshot {
    this.#snapshot ??= [...this.#members.values()].map(({ event }) => event);
    return { members: this.#snapshot, ringId: this.#mayHaveNewRing ? this.#nameRing() : this.#ringId };
  }

  /** Ids of those that others cannot reach, or that restart. */
  suspects(): string[] {
    return this.snapshot().members.flatMap((event) => (statusOf(event) === "suspect" ? event.id : []));
  }

  get mayHaveNewRing(): boolean {
    return this.#mayHaveNewRing;
  }

  /** The ringId if it is another than before; null: it is the same. */
  newRingId(): string | null {
    this.#mayHaveNewRing = false;
    const before = this.#ringId;
    this.#ringId = this.#nameRing();
    return this.#ringId === before ? null : this.#ringId;
  }

  #set(event: StoredEvent): void {
    const { weight, zone } = JSON.parse(event.registered) as Registration;
    const inRing = toRingMember({ id: event.id, weight, zone, status: statusOf(event) });
    this.#members.set(event.id, { event, inRing });
  }

  #nameRing(): string {
    return ringIdOf([...this.#members.values()].flatMap(({ inRing }) => inRing ?? []));
  }
}
