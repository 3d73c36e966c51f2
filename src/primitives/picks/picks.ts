import { busyness, reportsLoad } from "../../algorithms/member-load.js";
import {
  atRandom,
  busyLast,
  byHash,
  byWeight,
  firstOf,
  inTurn,
  lessBusyOfTwo,
  without,
} from "../../algorithms/pick-orders.js";
import type { Ring } from "../../algorithms/ring.js";
import type { Clock, Random } from "../../clock.js";
import type { Member } from "../members/member.js";
import { nobodyToPick } from "../members/member-failures.js";
import type { MembersView, MemberViews } from "../members/member-views.js";
import { BoundedCache } from "../reads/bounded-cache.js";
import type { Owners } from "../rings/owners.js";
import { CandidatesOfViews, type Group, type Tier, type Wanted } from "./candidates.js";
import { GivenAway } from "./given-away.js";

export type PickStrategy = "round-robin" | "weighted" | "random" | "least-load" | "sticky";

export interface PickRequest extends Wanted {
  readonly strategy: PickStrategy;
  /** With `sticky`: what should stick to its member. */
  readonly key?: string | undefined;
  /** With `sticky`: a member is too busy beyond so many times the mean. */
  readonly maxLoad: number;
  /** Ids that are not picked. */
  readonly exclude: readonly string[];
  /** How many different members to pick. */
  readonly count: number;
}

/** What had to give so that somebody could be picked. */
export type PickFallback = "zone" | "suspect" | "draining";

export interface Picked {
  /** As many as were asked for, if there are so many; at least one. */
  readonly members: readonly Member[];
  /** Those to try next. */
  readonly alternatives: readonly Member[];
  readonly fallbacks: readonly PickFallback[];
  /** How long ago the read of the members began, ms. */
  readonly ageMs: number;
}

/** Which members get work. What is known of the turns and of the picks of each member is of this instance alone. */
export class Picks {
  readonly #candidates = new CandidatesOfViews();
  /** The id that was picked last in turn, by service and what was wanted. */
  readonly #turns: BoundedCache<string>;
  readonly #given: GivenAway;

  constructor(
    private readonly views: Pick<MemberViews, "recent">,
    private readonly owners: Pick<Owners, "withRing">,
    private readonly clock: Clock,
    private readonly random: Random,
    { turnsMax, membersMax }: { readonly turnsMax?: number; readonly membersMax?: number } = {},
  ) {
    const countMax = turnsMax ?? TURNS_MAX;
    this.#turns = new BoundedCache(clock, { countMax, sizeMax: countMax, unusedMsMax: TURN_UNUSED_MS_MAX });
    this.#given = new GivenAway(clock, membersMax);
  }

  /**
   * At once, unless the members must be read or a ring be built first. Throws or rejects with `no_members` and `no_quorum`,
   * and with `sticky` with `too_many` and `overloaded`.
   */
  pick(service: string, request: PickRequest): Picked | Promise<Picked> {
    const seen = this.views.recent(service);
    if (seen instanceof Promise) return seen.then((fresh) => this.#pickFrom(service, fresh, request));
    return this.#pickFrom(service, seen, request);
  }

  /** How many turns and members are known now. */
  get kept() {
    return { turns: this.#turns.count, members: this.#given.kept };
  }

  #pickFrom(service: string, seen: MembersView, request: PickRequest): Picked | Promise<Picked> {
    if (request.strategy !== "sticky") return this.#picked(service, seen, undefined, request);
    const view = this.owners.withRing(service, seen, ALL_REPLICAS);
    if (view instanceof Promise)
      return view.then((built) => this.#picked(service, built, built.ring, request));
    return this.#picked(service, view, view.ring, request);
  }

  #picked(service: string, view: MembersView, ring: Ring | undefined, request: PickRequest): Picked {
    const candidates = this.#candidates.of(view.members, request);
    const turn = `${service} ${candidates.wanted}`;
    for (const tier of candidates.tiers) {
      const found: Member[] = [];
      for (const group of tier.groups) {
        const order = this.#order({ service, turn, view, ring, tier, group }, request);
        found.push(...firstOf(order, request.count + ALTERNATIVES_MAX - found.length));
      }
      if (found.length === 0) continue;
      const members = found.slice(0, request.count);
      this.#note(service, turn, members, request);
      return {
        members,
        alternatives: found.slice(request.count),
        fallbacks: fallbacksOf(members, tier, request),
        ageMs: Math.round(this.clock.monotonicMs() - view.readAtMs),
      };
    }
    throw nobodyToPick(service, candidates.eligible);
  }

  /** Only what is picked counts, not its alternatives: most of those get nothing. */
  #note(service: string, turn: string, members: readonly Member[], { strategy }: PickRequest): void {
    for (const { id } of members) this.#given.add(service, id);
    const last = members.at(-1);
    if (strategy === "round-robin" && last) this.#turns.set(turn, last.id, 1);
  }

  /** The order in which the members of a group are picked, those that are excluded left out. */
  #order({ service, turn, view, ring, tier, group }: Place, request: PickRequest): Iterable<Member> {
    const { random } = this;
    const allowed = (order: Iterable<Member>) =>
      request.exclude.length === 0 ? order : without(order, new Set(request.exclude));
    switch (request.strategy) {
      case "random":
        return allowed(atRandom(group.members, random));
      case "weighted":
        return allowed(byWeight(group.members, group.sums, random));
      case "round-robin": {
        // Anywhere at first: instances that start together would all begin with the same member.
        const last = this.#turns.get(turn) ?? firstOf(atRandom(group.members, random), 1)[0]?.id ?? "";
        return allowed(inTurn(group.members, last));
      }
      case "least-load":
        return lessBusyOfTwo(allowed(atRandom(group.members, random)), (member) =>
          busyness(member, this.#given.to(service, member.id)),
        );
      case "sticky": {
        const { key = "", maxLoad } = request;
        const onRing = tier.status !== "draining" && ring;
        const order = onRing ? ofRing(onRing, key, view, group) : byHash(group.members, key);
        const busyAbove = (tier.meanBusyness ?? 0) * maxLoad;
        return busyLast(allowed(order), (member) => reportsLoad(member) && busyness(member) > busyAbove);
      }
    }
  }
}

/** Where members are looked for. */
interface Place {
  readonly service: string;
  readonly turn: string;
  readonly view: MembersView;
  readonly ring: Ring | undefined;
  readonly tier: Tier;
  readonly group: Group;
}

/**
 * The members of a group in the order in which the ring prefers them for the key. If the group has few of the ring's
 * members, those that are far from the key come by hash: to find them on the ring could take 5 ms.
 */
function* ofRing(ring: Ring, key: string, { members }: MembersView, group: Group): Iterable<Member> {
  const met = new Set<Member>();
  let walked = 0;
  for (let count = REPLICAS_MIN; count <= REPLICAS_MAX; count *= REPLICAS_FACTOR) {
    const replicas = ring.replicas(key, count);
    for (const { id } of replicas.slice(walked)) {
      const member = members.get(id);
      if (!member || !group.has(member)) continue;
      met.add(member);
      yield member;
    }
    walked = replicas.length;
    if (met.size === group.members.length) return;
  }
  yield* byHash(
    group.members.filter((member) => !met.has(member)),
    key,
  );
}

function fallbacksOf(members: readonly Member[], { status }: Tier, { zone }: Wanted): PickFallback[] {
  const fallbacks: PickFallback[] = [];
  if (zone !== undefined && members.some((member) => member.zone !== zone)) fallbacks.push("zone");
  if (status !== "up") fallbacks.push(status);
  return fallbacks;
}

const ALTERNATIVES_MAX = 2;
const ALL_REPLICAS = Number.POSITIVE_INFINITY;
/** Nearly always enough; a longer answer begins with the shorter one. */
const REPLICAS_MIN = 8;
const REPLICAS_FACTOR = 8;
const REPLICAS_MAX = 512;
/** Of all services together: some MB, as few callers ask for many tags. */
const TURNS_MAX = 10_000;
const TURN_UNUSED_MS_MAX = 60_000;
