import { meanBusyness } from "../../algorithms/member-load.js";
import { sumsOf } from "../../algorithms/pick-draws.js";
import type { Member, MemberStatus } from "../members/member.js";

/** Which members may be picked. */
export interface Wanted {
  /** Members of this zone come before all others. */
  readonly zone?: string | undefined;
  /** They have all of these. */
  readonly tags?: readonly string[] | undefined;
}

/** Members among which only the strategy chooses, in the order of their ids. */
export class Group {
  #sums: Float64Array | undefined;
  #members: ReadonlySet<Member> | undefined;

  constructor(readonly members: readonly Member[]) {}

  /** The sums of their weights. */
  get sums(): Float64Array {
    this.#sums ??= sumsOf(this.members.map(({ weight }) => weight));
    return this.#sums;
  }

  has(member: Member): boolean {
    this.#members ??= new Set(this.members);
    return this.#members.has(member);
  }
}

/** The members of one status. They are picked only if nobody of a better status can be. */
export class Tier {
  /** Those that are picked first come first. None is empty. */
  readonly groups: readonly Group[];
  #meanBusyness: number | null | undefined;

  constructor(
    readonly status: MemberStatus,
    private readonly members: readonly Member[],
    zone: string | undefined,
  ) {
    const inZone = members.filter((member) => zone === undefined || member.zone === zone);
    const others = members.filter((member) => zone !== undefined && member.zone !== zone);
    this.groups = [inZone, others].filter(({ length }) => length > 0).map((group) => new Group(group));
  }

  /** Of those that report their load; null: none does. */
  get meanBusyness(): number | null {
    if (this.#meanBusyness === undefined) this.#meanBusyness = meanBusyness(this.members);
    return this.#meanBusyness;
  }
}

/** The members of one view by how well they suit a request, the best first. */
export interface Candidates {
  /** Distinguishes what was wanted from what others want. */
  readonly wanted: string;
  readonly tiers: readonly Tier[];
  /** Live members with a weight above 0, whether they have the tags or not. */
  readonly eligible: number;
}

/** Sorts out the members of views, once for all requests that want the same of the same view. */
export class CandidatesOfViews {
  readonly #known = new WeakMap<ReadonlyMap<string, Member>, Map<string, Candidates>>();

  of(members: ReadonlyMap<string, Member>, { zone, tags = NONE }: Wanted): Candidates {
    const isAnything = zone === undefined && tags.length === 0;
    const wanted = isAnything ? "" : JSON.stringify([zone ?? null, [...new Set(tags)].sort()]);
    let known = this.#known.get(members);
    if (!known) {
      known = new Map();
      this.#known.set(members, known);
    }
    const same = known.get(wanted);
    if (same) return same;
    const fresh = candidatesOf(members, wanted, zone, tags);
    if (known.size < WANTED_MAX) known.set(wanted, fresh);
    return fresh;
  }
}

function candidatesOf(
  members: ReadonlyMap<string, Member>,
  wanted: string,
  zone: string | undefined,
  tags: readonly string[],
): Candidates {
  // Those that drain are not eligible for a ring, but better than nobody.
  const eligible = [...members.values()].filter(({ weight }) => weight > 0);
  const tagged = tags.length === 0 ? eligible : eligible.filter((member) => hasAll(member, tags));
  const tiers = BEST_FIRST.map(
    (status) =>
      new Tier(
        status,
        tagged.filter((member) => member.status === status),
        zone,
      ),
  ).filter(({ groups }) => groups.length > 0);
  return { wanted, tiers, eligible: eligible.length };
}

function hasAll(member: Member, tags: readonly string[]): boolean {
  return tags.every((tag) => member.tags.includes(tag));
}

const NONE: readonly string[] = Object.freeze([]);
const BEST_FIRST: readonly MemberStatus[] = ["up", "suspect", "draining"];
/** For each view, which lives for a quarter of a second. What more requests want is sorted out for each of them. */
const WANTED_MAX = 16;
