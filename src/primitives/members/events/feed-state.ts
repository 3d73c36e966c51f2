import { type RingMember, ringIdOf } from "../../../algorithms/ring.js";
import { identityOf, type StoredEvent } from "../../../scripts/event-calls.js";
import type { MemberRecord } from "../../../scripts/member-calls.js";
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

  constructor(records: readonly MemberRecord[]) {
    for (const record of records) this.#set({ ...record, ...record.event, identity: identityOf(record) });
    this.#ringId = this.#nameRing();
  }

  apply(event: StoredEvent): void {
    const before = this.#members.get(event.id)?.inRing ?? null;
    if (event.left) this.#members.delete(event.id);
    else this.#set(event);
    const now = this.#members.get(event.id)?.inRing ?? null;
    if (before?.weight !== now?.weight || before?.zone !== now?.zone) this.#mayHaveNewRing = true;
    this.#snapshot = null;
  }

  /** Made once for all who begin before the next event. */
  snapshot(): Snapshot {
    this.#snapshot ??= [...this.#members.values()].map(({ event }) => event);
    return { members: this.#snapshot, ringId: this.#mayHaveNewRing ? this.#nameRing() : this.#ringId };
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
