import { createHash } from "node:crypto";
import { murmur3 } from "./murmur3.js";
import { type Points, pointAtOrAfter, sortedPoints } from "./ring-points.js";
import { type FirstMeetings, indexFirstMeetings, Walk } from "./ring-walk.js";
import { atOnce, type Steps } from "./steps.js";

/** One member as the ring sees it. */
export interface RingMember {
  /** Not empty, well-formed Unicode, without control characters; unique in its ring. */
  readonly id: string;
  /** Finite. 256 points for each 1.0, at least one point; 0 or less: not eligible, no points. */
  readonly weight: number;
  /** The member's zone. Absent: replicas treat it as a zone of its own; "" is a zone's name. */
  readonly zone?: string | undefined;
}

/** An immutable consistent-hash ring. All its answers follow from its set of members. */
export interface Ring<M extends RingMember = RingMember> {
  /**
   * 16 hexadecimal digits that identify the content: ids, numbers of points and zones of the eligible members. Two
   * rings with the same ringId give every key the same owner and replicas.
   */
  readonly ringId: string;
  /** The eligible members (weight above 0), the very objects passed in, in the byte order of their ids. */
  readonly members: readonly M[];
  /**
   * Points of all members together: they determine the ring's computing time and take some 10 to 20 bytes of memory
   * each.
   */
  readonly pointCount: number;
  /** The member at the first point at or after the key's position; undefined: there are no members. */
  owner(key: string): M | undefined;
  /**
   * The first `count` members in the key's order of preference, or all when there are fewer. That order is a walk
   * clockwise from the owner: first the members whose zone has not come up before, then the others. It does not depend
   * on `count`, so a shorter answer is a prefix of a longer one.
   */
  replicas(key: string, count: number): M[];
  /**
   * The points are hashed and sorted only when they are first needed. This method does it in steps, for `replicas` of
   * up to `count` members (the owner is one); a lookup before it is finished does it all at once.
   */
  prepare(count: number): Steps<void>;
  /** Whether `replicas` of up to `count` members needs no further preparation. */
  isPrepared(count: number): boolean;
}

/**
 * Builds the ring `ring-v1` of docs/ring-v1.md. The order of `members` does not matter; members
 * of weight 0 or less are left out. Two members with one id, an id that the format cannot carry,
 * a weight that is not finite: programmer errors, which throw.
 *
 * @example buildRing([{ id: "a", weight: 1 }, { id: "b", weight: 2 }]).owner("user:42")?.id
 */
export function buildRing<M extends RingMember>(members: readonly M[]): Ring<M> {
  assertMembers(members);
  const entries = eligibleEntries(members);
  const sorted = Object.freeze(entries.map((entry) => entry.member));
  const layers = new Layers(entries);
  return Object.freeze({
    ringId: idOf(entries),
    members: sorted,
    pointCount: entries.reduce((sum, entry) => sum + entry.pointCount, 0),
    owner(key: string): M | undefined {
      if (sorted.length === 0) return undefined;
      return sorted[layers.owner(key)];
    },
    replicas(key: string, count: number): M[] {
      if (!Number.isInteger(count)) throw new RangeError("count is a whole number");
      if (count < 0) throw new RangeError("count is not negative");
      if (count === 0 || sorted.length === 0) return [];
      return layers.preferred(key, Math.min(count, sorted.length)).map((index) => sorted[index] as M);
    },
    prepare: (count: number) => layers.prepare(Math.min(count, sorted.length)),
    isPrepared: (count: number) => layers.isPrepared(Math.min(count, sorted.length)),
  });
}

/** The `ringId` of the ring of these members, at a fraction of the cost of the ring. Throws as `buildRing` does. */
export function ringIdOf(members: readonly RingMember[]): string {
  assertMembers(members);
  return idOf(eligibleEntries(members));
}

/** Points of an eligible member: 256 for each 1.0 of weight, rounded half up, from 1 to 65,536. */
export function pointsForWeight(weight: number): number {
  const rounded = Math.floor(Math.min(POINTS_PER_WEIGHT * weight + 0.5, POINTS_MAX));
  return Math.max(1, rounded);
}

const POINTS_PER_WEIGHT = 256;
const POINTS_MAX = 65_536;
const RING_ID_HEX_DIGITS = 16;

/** Control characters separate fields; a lone surrogate has no UTF-8 encoding of its own. */
const FORBIDDEN_IN_ID = /[\p{Cc}\p{Cs}]/u;

/** An eligible member with the values that the ring derives from it. */
interface Entry<M extends RingMember> {
  readonly member: M;
  readonly idBytes: Uint8Array;
  readonly pointCount: number;
  /** `=` and the zone's UTF-8 bytes in hexadecimal, or `-` for none: equal means the same zone. */
  readonly zoneCode: string;
}

/** The zone of each member as a number, and the number of different zones. */
interface Zones {
  readonly ofMember: Uint32Array;
  readonly count: number;
}

function assertMembers(members: readonly RingMember[]): void {
  const ids = new Set<string>();
  for (const { id, weight } of members) {
    if (id === "") throw new TypeError("a ring member has an id");
    if (FORBIDDEN_IN_ID.test(id)) {
      throw new TypeError(`the ring cannot carry the id ${JSON.stringify(id)}`);
    }
    if (!Number.isFinite(weight)) throw new TypeError(`the weight of ${id} is not finite`);
    if (ids.has(id)) throw new TypeError(`two ring members have the id ${id}`);
    ids.add(id);
  }
}

function eligibleEntries<M extends RingMember>(members: readonly M[]): Entry<M>[] {
  return members
    .filter((member) => member.weight > 0)
    .map((member) => ({
      member,
      idBytes: Buffer.from(member.id),
      pointCount: pointsForWeight(member.weight),
      zoneCode: member.zone === undefined ? "-" : `=${Buffer.from(member.zone).toString("hex")}`,
    }))
    .sort((one, other) => Buffer.compare(one.idBytes, other.idBytes));
}

function idOf(entries: readonly Entry<RingMember>[]): string {
  const sha256 = createHash("sha256").update("ring-v1\n");
  for (const { member, pointCount, zoneCode } of entries) {
    sha256.update(`${member.id}\t${pointCount}\t${zoneCode}\n`);
  }
  return sha256.digest("hex").slice(0, RING_ID_HEX_DIGITS);
}

function zoneNumbers(entries: readonly Entry<RingMember>[]): Zones {
  const ofMember = new Uint32Array(entries.length);
  const numbers = new Map<string, number>();
  let count = 0;
  entries.forEach(({ zoneCode }, index) => {
    const known = zoneCode === "-" ? undefined : numbers.get(zoneCode);
    if (known === undefined) numbers.set(zoneCode, count);
    ofMember[index] = known ?? count++;
  });
  return { ofMember, count };
}

/** Data for lookups, each layer built when first needed: the points, and an index for more than one zone or member. */
class Layers {
  readonly #zones: Zones;
  #points: Points | undefined;
  #byZone: FirstMeetings | undefined;
  #byMember: FirstMeetings | undefined;

  constructor(private readonly entries: readonly Entry<RingMember>[]) {
    this.#zones = zoneNumbers(entries);
  }

  isPrepared(count: number): boolean {
    if (count < 1) return true;
    if (!this.#points) return false;
    return (
      (count < 2 || this.#byZone !== undefined) && (!this.#needsOthers(count) || this.#byMember !== undefined)
    );
  }

  *prepare(count: number): Steps<void> {
    if (count < 1) return;
    this.#points ??= yield* sortedPoints(this.entries);
    const { members } = this.#points;
    const { ofMember, count: zoneCount } = this.#zones;
    if (count > 1) this.#byZone ??= yield* indexFirstMeetings(members, ofMember, zoneCount);
    if (!this.#needsOthers(count)) return;
    this.#byMember ??= yield* indexFirstMeetings(members, Uint32Array.from(ofMember.keys()), ofMember.length);
  }

  /** Index of the member that owns the key; there is one. */
  owner(key: string): number {
    const points = this.#points ?? this.#prepared(1).points;
    return points.members[pointAtOrAfter(points, murmur3(key))] as number;
  }

  /** The first `count` member indices in order of preference; there are at least `count` members. */
  preferred(key: string, count: number): number[] {
    if (count === 1) return [this.owner(key)];
    const { points, byZone, byMember } = this.#prepared(count);
    const start = pointAtOrAfter(points, murmur3(key));
    const answer: number[] = [];
    const newZones = new Walk(byZone as FirstMeetings, start);
    for (let left = Math.min(count, this.#zones.count); left > 0; left--) {
      answer.push(points.members[newZones.next()] as number);
    }
    if (answer.length === count) return answer;
    const newMembers = new Walk(byMember as FirstMeetings, start);
    while (answer.length < count) {
      const point = newMembers.next();
      if (!newMembers.isFirst(point, byZone as FirstMeetings)) answer.push(points.members[point] as number);
    }
    return answer;
  }

  #prepared(count: number) {
    if (!this.isPrepared(count)) atOnce(this.prepare(count));
    return { points: this.#points as Points, byZone: this.#byZone, byMember: this.#byMember };
  }

  /** Whether there are too few zones, so that some must come up again. */
  #needsOthers(count: number): boolean {
    return count > this.#zones.count;
  }
}
