import { buildRing, type Ring } from "../../algorithms/ring.js";
import type { Clock } from "../../clock.js";
import { type Member, toRingMember } from "../members/member.js";
import { noMembers } from "../members/member-failures.js";
import type { MembersView, MemberViews } from "../members/member-views.js";
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

/** Members that were read, and the ring that they make. */
export interface RingView extends MembersView {
  readonly ring: Ring;
}

/** Which member owns a key: by the ring of the live members. Not exclusive; that is a shard lease. */
export class Owners {
  /** For answers that take longer than others should have to wait. */
  readonly timeSlices: TimeSlices;
  readonly #rings: BoundedCache<Ring>;
  readonly #ringOfView = new WeakMap<MembersView, Ring>();
  readonly #builds: RingBuilds<RingView>;

  constructor(
    private readonly views: Pick<MemberViews, "recent">,
    private readonly clock: Clock,
    { servicesMax, pointsMax }: { readonly servicesMax: number; readonly pointsMax: number } = KEPT,
  ) {
    this.timeSlices = new TimeSlices(clock);
    this.#builds = new RingBuilds(this.timeSlices);
    const bounds = { countMax: servicesMax, sizeMax: pointsMax, unusedMsMax: RING_UNUSED_MS_MAX };
    this.#rings = new BoundedCache(clock, bounds);
  }

  /**
   * A recent view of a service whose ring is ready to name so many replicas of a key: at once, unless the members must
   * be read first. The first call after a change of the members waits until the ring is built. Throws or rejects with
   * `no_members`, `too_many`, `overloaded` and `no_quorum`.
   */
  owning(service: string, replicas = 1): View | Promise<View> {
    const seen = this.views.recent(service);
    const view =
      seen instanceof Promise
        ? seen.then((fresh) => this.withRing(service, fresh, replicas))
        : this.withRing(service, seen, replicas);
    return view instanceof Promise
      ? view.then((built) => this.#owning(service, built))
      : this.#owning(service, view);
  }

  /**
   * The same for members that were read already, or a newer view of them. Its ring may be empty. Throws or rejects with
   * `too_many` and `overloaded`.
   */
  withRing(service: string, seen: MembersView, replicas: number): RingView | Promise<RingView> {
    const view = { members: seen.members, readAtMs: seen.readAtMs, ring: this.#ringOf(service, seen) };
    return view.ring.isPrepared(replicas) ? view : this.#builds.prepared(service, view, replicas);
  }

  #owning(service: string, { members, ring, readAtMs }: RingView): View {
    if (ring.members.length === 0) throw noMembers(service);
    return { members, ring, ageMs: Math.round(this.clock.monotonicMs() - readAtMs) };
  }

  /** How many rings are kept now, and how many points they have together. */
  get kept() {
    return { rings: this.#rings.count, points: this.#rings.size };
  }

  /** The ring of a view: the one that is kept if it is the same, else a new one, not built yet. */
  #ringOf(service: string, view: MembersView): Ring {
    const kept = this.#rings.get(service);
    const known = this.#ringOfView.get(view);
    if (known && known === kept) return known;
    const ring = known ?? (kept && isRingOf(kept, view) ? kept : ringOf(view));
    // Of rings that two reads made of the same members, only the first is built.
    const shared = kept?.ringId === ring.ringId ? kept : ring;
    this.#ringOfView.set(view, shared);
    if (shared.members.length === 0) this.#rings.delete(service);
    // A ring that will not be built must not displace those that are.
    else if (shared !== kept && shared.pointCount <= RING_POINTS_MAX)
      this.#rings.set(service, shared, shared.pointCount);
    return shared;
  }
}

function ringOf({ members }: MembersView): Ring {
  return buildRing([...members.values()].flatMap((member) => toRingMember(member) ?? []));
}

/** Whether the ring is of exactly these members. They come in the order of their ids, as those of a ring do. */
function isRingOf(ring: Ring, { members }: MembersView): boolean {
  let at = 0;
  for (const member of members.values()) {
    const wanted = toRingMember(member);
    if (!wanted) continue;
    const known = ring.members[at++];
    if (known?.id !== wanted.id || known.weight !== wanted.weight || known.zone !== wanted.zone) return false;
  }
  return at === ring.members.length;
}

/** Rings: some 10 to 20 bytes a point, so 170 MB at most. Two of the largest, or 300 of 100 members of weight 1. */
const KEPT = { servicesMax: 2_000, pointsMax: 2 * RING_POINTS_MAX };
/** Long enough for clients that look up once in a while to find the ring built. */
const RING_UNUSED_MS_MAX = 60_000;
