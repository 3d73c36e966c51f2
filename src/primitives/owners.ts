import { buildRing, type Ring, type RingMember } from "../algorithms/ring.js";
import type { Clock } from "../clock.js";
import { CoordinationError } from "../errors.js";
import type { Member, Membership } from "./membership.js";

/** The members of a service as one quorum read saw them, and the ring that they make. */
export interface View {
  readonly members: ReadonlyMap<string, Member>;
  readonly ring: Ring;
  /** How long ago the read began, ms. */
  readonly ageMs: number;
}

interface CachedView extends Omit<View, "ageMs"> {
  readonly readAtMs: number;
}

/** Which member owns a key: by the ring of the members that are alive. Not exclusive; that is a shard lease. */
export class Owners {
  readonly #views = new Map<string, CachedView>();
  readonly #reads = new Map<string, Promise<CachedView>>();

  constructor(
    private readonly membership: Membership,
    private readonly clock: Clock,
    /** Age from which a view is read anew before it answers, ms: bounds how long a dead member owns anything. */
    private readonly viewAgeMsMax: number,
  ) {}

  /** The members of a service and their ring, at most `viewAgeMsMax` old; may be empty. Throws `no_quorum`. */
  async view(service: string): Promise<View> {
    const { members, ring, readAtMs } = await this.#recent(service);
    return { members, ring, ageMs: Math.round(this.clock.monotonicMs() - readAtMs) };
  }

  /** The same for a ring that can own something. Throws `no_members` and `no_quorum`. */
  async owning(service: string): Promise<View> {
    const view = await this.view(service);
    if (view.ring.members.length === 0) {
      throw new CoordinationError(
        "no_members",
        `Service ${service} has no live member with a weight above 0. Register one first (PUT /v1/services/${service}/members/{id}).`,
      );
    }
    return view;
  }

  /** To be called when this instance changed the members of a service: what it answers next must show it. */
  forget(service: string): void {
    this.#views.delete(service);
    this.#reads.delete(service);
  }

  #recent(service: string): Promise<CachedView> | CachedView {
    const view = this.#views.get(service);
    if (view && this.clock.monotonicMs() - view.readAtMs <= this.viewAgeMsMax) return view;
    const reading = this.#reads.get(service);
    if (reading) return reading;
    const read: Promise<CachedView> = this.#read(service, view).then((fresh) => {
      if (this.#reads.get(service) === read) {
        // Services without members are not kept: anybody may ask for any name.
        if (fresh.members.size > 0) this.#views.set(service, fresh);
        else this.#views.delete(service);
      }
      return fresh;
    });
    this.#reads.set(service, read);
    const done = () => {
      if (this.#reads.get(service) === read) this.#reads.delete(service);
    };
    read.then(done, done);
    return read;
  }

  async #read(service: string, previous: CachedView | undefined): Promise<CachedView> {
    const readAtMs = this.clock.monotonicMs();
    const members = await this.membership.list(service);
    const ring = previous && sameRing(previous.ring.members, members) ? previous.ring : ringOf(members);
    return { readAtMs, ring, members: new Map(members.map((member) => [member.id, member])) };
  }
}

/** The ring that these members make. */
export function ringOf(members: readonly Member[]): Ring {
  return buildRing(members.map(toRingMember));
}

function toRingMember({ id, weight, zone }: Member): RingMember {
  return { id, weight, zone: zone ?? undefined };
}

function sameRing(before: readonly RingMember[], members: readonly Member[]): boolean {
  const now = members.filter((member) => member.weight > 0);
  if (now.length !== before.length) return false;
  const byId = new Map(before.map((member) => [member.id, member]));
  return now.every((member) => {
    const then = byId.get(member.id);
    return then !== undefined && then.weight === member.weight && then.zone === (member.zone ?? undefined);
  });
}
