import { buildRing, type Ring, type RingMember } from "../../algorithms/ring.js";
import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Member, Membership } from "../members/membership.js";
import { BoundedCache } from "../reads/bounded-cache.js";
import { RING_POINTS_MAX, RingBuilds } from "./ring-builds.js";
import { TimeSlices } from "./time-slices.js";

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
  /** For answers that take longer than others should have to wait. */
  readonly timeSlices: TimeSlices;
  readonly #views: BoundedCache<CachedView>;
  readonly #rings: BoundedCache<Ring>;
  readonly #builds: RingBuilds<CachedView>;
  readonly #reads = new Map<string, Promise<CachedView>>();

  constructor(
    private readonly membership: Pick<Membership, "list">,
    private readonly clock: Clock,
    /** Age from which a view is read anew before it answers, ms: bounds how long a dead member owns anything. */
    private readonly viewAgeMsMax: number,
    bounds: { readonly servicesMax: number; readonly pointsMax: number } = KEPT,
  ) {
    this.timeSlices = new TimeSlices(clock);
    this.#builds = new RingBuilds(this.timeSlices);
    const { servicesMax: countMax, pointsMax } = bounds;
    this.#views = new BoundedCache(clock, {
      countMax,
      sizeMax: VIEWED_MEMBERS_MAX,
      unusedMsMax: viewAgeMsMax,
    });
    this.#rings = new BoundedCache(clock, { countMax, sizeMax: pointsMax, unusedMsMax: RING_UNUSED_MS_MAX });
  }

  /**
   * The members of a service and their ring, read at most `viewAgeMsMax` ago; may be empty. Look-ups in the ring may
   * have to build it first. Throws `no_quorum`.
   */
  async view(service: string): Promise<View> {
    return this.#told(await this.#recent(service));
  }

  /**
   * The same for a ring that can own something, and that is ready to name so many replicas of a key. The first after a
   * change of the members waits until it is built. Throws `no_members`, `too_many`, `overloaded` and `no_quorum`.
   */
  async owning(service: string, replicas = 1): Promise<View> {
    const view = await this.#recent(service);
    if (view.ring.members.length === 0) {
      throw new CoordinationError(
        "no_members",
        `Service ${service} has no live member with a weight above 0. Register one first (PUT /v1/services/${service}/members/{id}).`,
      );
    }
    return this.#told(await this.#builds.prepared(service, this.#withKeptRing(service, view), replicas));
  }

  /** To be called when this instance changed the members of a service: what it answers next must show it. */
  forget(service: string): void {
    this.#views.delete(service);
    this.#reads.delete(service);
  }

  /** What is kept now: views and rings, with the members and points that they have together. */
  get kept() {
    return {
      views: this.#views.count,
      members: this.#views.size,
      rings: this.#rings.count,
      points: this.#rings.size,
    };
  }

  #told({ members, ring, readAtMs }: CachedView): View {
    return { members, ring, ageMs: Math.round(this.clock.monotonicMs() - readAtMs) };
  }

  #recent(service: string): Promise<CachedView> | CachedView {
    const view = this.#views.get(service);
    if (view && this.clock.monotonicMs() - view.readAtMs <= this.viewAgeMsMax) return view;
    const reading = this.#reads.get(service);
    if (reading) return reading;
    const read: Promise<CachedView> = this.#read(service).then((fresh) => {
      if (this.#reads.get(service) === read) this.#keep(service, fresh);
      return fresh;
    });
    this.#reads.set(service, read);
    const done = () => {
      if (this.#reads.get(service) === read) this.#reads.delete(service);
    };
    read.then(done, done);
    return read;
  }

  async #read(service: string): Promise<CachedView> {
    const readAtMs = this.clock.monotonicMs();
    const members = await this.membership.list(service);
    const view = { readAtMs, members: new Map(members.map((member) => [member.id, member])) };
    const kept = this.#rings.get(service);
    return { ...view, ring: kept && isRingOf(kept, members) ? kept : ringOf(members) };
  }

  /** Services without members are not kept: anybody may ask for any name. */
  #keep(service: string, view: CachedView): void {
    if (view.members.size > 0) this.#views.set(service, view, view.members.size);
    else this.#views.delete(service);
    if (view.ring.members.length === 0) this.#rings.delete(service);
  }

  /** Of rings that two reads made of the same members, only the first is built. */
  #withKeptRing(service: string, view: CachedView): CachedView {
    const kept = this.#rings.get(service);
    if (kept === view.ring) return view;
    if (kept?.ringId === view.ring.ringId) return { ...view, ring: kept };
    // One that will not be built must not take the place of those that are.
    if (view.ring.pointCount <= RING_POINTS_MAX) this.#rings.set(service, view.ring, view.ring.pointCount);
    return view;
  }
}

/** The ring that these members make. Costs a hash of them; their points are hashed when it is first asked for owners. */
export function ringOf(members: readonly Member[]): Ring {
  return buildRing(members.map(toRingMember));
}

function toRingMember({ id, weight, zone }: Member): RingMember {
  return { id, weight, zone: zone ?? undefined };
}

/** Whether the ring is of exactly these members. They come in the order of their ids, as those of a ring do. */
function isRingOf(ring: Ring, members: readonly Member[]): boolean {
  let at = 0;
  for (const { id, weight, zone } of members) {
    if (weight <= 0) continue;
    const known = ring.members[at++];
    if (known?.id !== id || known.weight !== weight || known.zone !== (zone ?? undefined)) return false;
  }
  return at === ring.members.length;
}

/** Rings: some 10 to 20 bytes a point, so 170 MB at the most. Two of the largest, or 300 of 100 members of weight 1. */
const KEPT = { servicesMax: 2_000, pointsMax: 2 * RING_POINTS_MAX };
/** As long as clients that look up once in a while may find the ring built. */
const RING_UNUSED_MS_MAX = 60_000;
/** Views live no longer than they may answer, a quarter of a second; some KB a member. */
const VIEWED_MEMBERS_MAX = 50_000;
