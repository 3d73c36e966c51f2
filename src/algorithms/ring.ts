import { createHash } from "node:crypto";
import { absorb, finish, murmur3 } from "./murmur3.js";

/** One member as the ring sees it. */
export interface RingMember {
  /** Not empty, well-formed Unicode, without control characters; unique in its ring. */
  readonly id: string;
  /** Finite. 256 points for each 1.0, at least one point; 0 or less: not eligible, no points. */
  readonly weight: number;
  /** Where the member runs. Absent: replicas treat it as a zone of its own; "" is a zone's name. */
  readonly zone?: string | undefined;
}

/** An immutable consistent-hash ring. Everything it answers follows from its set of members. */
export interface Ring<M extends RingMember = RingMember> {
  /**
   * 16 hexadecimal digits that name the content: ids, numbers of points and zones of the eligible
   * members. Two rings with the same ringId give every key the same owner and replicas.
   */
  readonly ringId: string;
  /** The eligible members (weight above 0), the very objects passed in, by the bytes of the id. */
  readonly members: readonly M[];
  /** The member at the first point at or after the key's place; undefined: there are no members. */
  owner(key: string): M | undefined;
  /**
   * The first `count` members of the key's order of preference, or all when there are fewer. That
   * order is a walk clockwise from the owner: first the members whose zone did not come up before,
   * then the others. It does not depend on `count`, so a shorter answer is a prefix of a longer.
   */
  replicas(key: string, count: number): M[];
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
  const points = sortedPoints(entries);
  const zones = zoneNumbers(entries);
  return Object.freeze({
    ringId: ringIdOf(entries),
    members: sorted,
    owner(key: string): M | undefined {
      if (sorted.length === 0) return undefined;
      return sorted[points.members[pointAtOrAfter(points, murmur3(key))] as number];
    },
    replicas(key: string, count: number): M[] {
      if (!Number.isInteger(count)) throw new RangeError("count is a whole number");
      if (count < 0) throw new RangeError("count is not negative");
      if (count === 0 || sorted.length === 0) return [];
      const first = pointAtOrAfter(points, murmur3(key));
      const wanted = Math.min(count, sorted.length);
      return preferred(points.members, first, zones, wanted).map((index) => sorted[index] as M);
    },
  });
}

/** Points of an eligible member: 256 for each 1.0 of weight, rounded half up, from 1 to 65,536. */
export function pointsForWeight(weight: number): number {
  const rounded = Math.floor(Math.min(POINTS_PER_WEIGHT * weight + 0.5, POINTS_MAX));
  return Math.max(1, rounded);
}

const POINTS_PER_WEIGHT = 256;
const POINTS_MAX = 65_536;
const POINT_DIGITS_MAX = 5;
const RING_ID_HEX_DIGITS = 16;

/** Control characters separate fields; a lone surrogate has no UTF-8 of its own. */
const FORBIDDEN_IN_ID = /[\p{Cc}\p{Cs}]/u;

/** An eligible member with what the ring derives from it. */
interface Entry<M extends RingMember> {
  readonly member: M;
  readonly idBytes: Uint8Array;
  readonly pointCount: number;
  /** `=` and the zone's UTF-8 bytes in hexadecimal, or `-` for none: equal means the same zone. */
  readonly zoneCode: string;
}

/** All points of a ring, sorted by place and then by member. */
interface Points {
  readonly places: Uint32Array;
  /** Index of the point's member in the sorted members. */
  readonly members: Uint32Array;
  /** For each bucket of 2^bucketShift places: index of the first point in it or after it. */
  readonly bucketStarts: Uint32Array;
  readonly bucketShift: number;
}

/** The zone of each member as a number, and how many different ones there are. */
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

function ringIdOf(entries: readonly Entry<RingMember>[]): string {
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

/**
 * Hashes every point and sorts by place with one stable distribution into about as many buckets
 * as points, followed by an insertion sort: hashes spread evenly, so hardly a point moves far.
 * Points are hashed in the order of the members and both steps are stable, so that points with
 * one place stay in the order of the bytes of the ids.
 */
function sortedPoints(entries: readonly Entry<RingMember>[]): Points {
  const total = entries.reduce((sum, entry) => sum + entry.pointCount, 0);
  const hashed = hashPoints(entries, total);
  const bucketShift = bucketShiftFor(total);
  const bucketStarts = new Uint32Array(2 ** (32 - bucketShift));
  for (let i = 0; i < total; i++) {
    const bucket = (hashed.places[i] as number) >>> bucketShift;
    bucketStarts[bucket] = (bucketStarts[bucket] as number) + 1;
  }
  let end = 0;
  for (let bucket = 0; bucket < bucketStarts.length; bucket++) {
    end += bucketStarts[bucket] as number;
    bucketStarts[bucket] = end;
  }
  const places = new Uint32Array(total);
  const members = new Uint32Array(total);
  // Filling each bucket from its end, last point first, keeps the order and leaves its start.
  for (let i = total - 1; i >= 0; i--) {
    const place = hashed.places[i] as number;
    const at = (bucketStarts[place >>> bucketShift] as number) - 1;
    bucketStarts[place >>> bucketShift] = at;
    places[at] = place;
    members[at] = hashed.members[i] as number;
  }
  insertionSort(places, members);
  return { places, members, bucketStarts, bucketShift };
}

function hashPoints(entries: readonly Entry<RingMember>[], total: number) {
  const places = new Uint32Array(total);
  const members = new Uint32Array(total);
  let at = 0;
  entries.forEach((entry, index) => {
    const end = at + entry.pointCount;
    hashPointsOfMember(entry.idBytes, places.subarray(at, end));
    members.fill(index, at, end);
    at = end;
  });
  return { places, members };
}

/** Fills `places` with the hashes of id + "\n" + i; what is common to all of them is hashed once. */
function hashPointsOfMember(idBytes: Uint8Array, places: Uint32Array): void {
  const bytes = new Uint8Array(idBytes.length + 1 + POINT_DIGITS_MAX);
  bytes.set(idBytes);
  bytes[idBytes.length] = 0x0a;
  const digitsStart = idBytes.length + 1;
  const common = absorb(0, bytes, 0, digitsStart);
  for (let i = 0; i < places.length; i++) {
    const end = writeDecimal(bytes, digitsStart, i);
    places[i] = finish(absorb(common, bytes, digitsStart & ~3, end), bytes, end);
  }
}

/** Writes a number below 100,000 in ASCII digits at `start`; the index behind its last digit. */
function writeDecimal(bytes: Uint8Array, start: number, value: number): number {
  let end = start + 1;
  for (let power = 10; power <= value; power *= 10) end++;
  let rest = value;
  for (let at = end - 1; at >= start; at--) {
    const tenth = (rest / 10) | 0;
    bytes[at] = 0x30 + rest - tenth * 10;
    rest = tenth;
  }
  return end;
}

/** From 2 buckets (a shift by 32 would be one by 0) to 2^24, and as many as points between. */
function bucketShiftFor(pointCount: number): number {
  const bits = 32 - Math.clz32(Math.max(pointCount - 1, 0));
  return 32 - Math.min(Math.max(bits, 1), 24);
}

function insertionSort(places: Uint32Array, members: Uint32Array): void {
  for (let i = 1; i < places.length; i++) {
    const place = places[i] as number;
    if ((places[i - 1] as number) <= place) continue;
    const member = members[i] as number;
    let at = i;
    for (; at > 0 && (places[at - 1] as number) > place; at--) {
      places[at] = places[at - 1] as number;
      members[at] = members[at - 1] as number;
    }
    places[at] = place;
    members[at] = member;
  }
}

/** Index of the first point at or after `place`, wrapping to the first of all. */
function pointAtOrAfter(points: Points, place: number): number {
  const { places, bucketStarts, bucketShift } = points;
  let at = bucketStarts[place >>> bucketShift] as number;
  while (at < places.length && (places[at] as number) < place) at++;
  return at < places.length ? at : 0;
}

/**
 * The first `count` member indices in order of preference, walking from the point `first`; there
 * are at least `count` members. Stops once the answer is settled, after one turn at the most.
 */
function preferred(pointMembers: Uint32Array, first: number, zones: Zones, count: number) {
  const members = new Set<number>();
  const zonesTaken = new Set<number>();
  const others: number[] = [];
  const answer: number[] = [];
  const inNewZoneMax = Math.min(count, zones.count);
  let at = first;
  for (let left = pointMembers.length; left > 0; left--) {
    const member = pointMembers[at] as number;
    at = at + 1 < pointMembers.length ? at + 1 : 0;
    if (members.has(member)) continue;
    members.add(member);
    const zone = zones.ofMember[member] as number;
    if (zonesTaken.has(zone)) others.push(member);
    else answer.push(member);
    zonesTaken.add(zone);
    if (answer.length >= inNewZoneMax && members.size >= count) break;
  }
  for (const member of others) {
    if (answer.length >= count) break;
    answer.push(member);
  }
  return answer;
}
