import { createHash } from "node:crypto";
import { type RingEntry, RingLookup } from "./ring-lookup.js";
import { pointsForWeight } from "./ring-points.js";
import type { Steps } from "./steps.js";

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
  const lookup = new RingLookup(entries);
  return Object.freeze({
    ringId: idOf(entries),
    members: sorted,
    pointCount: entries.reduce((sum, entry) => sum + entry.pointCount, 0),
    owner(key: string): M | undefined {
      if (sorted.length === 0) return undefined;
      return sorted[lookup.owner(key)];
    },
    replicas(key: string, count: number): M[] {
      if (!Number.isInteger(count)) throw new RangeError("count is a whole number");
      if (count < 0) throw new RangeError("count is not negative");
      if (count === 0 || sorted.length === 0) return [];
      return lookup.preferred(key, Math.min(count, sorted.length)).map((index) => sorted[index] as M);
    },
    prepare: (count: number) => lookup.prepare(Math.min(count, sorted.length)),
    isPrepared: (count: number) => lookup.isPrepared(Math.min(count, sorted.length)),
  });
}

/** The `ringId` of the ring of these members, at a fraction of the cost of the ring. Throws as `buildRing` does. */
export function ringIdOf(members: readonly RingMember[]): string {
  assertMembers(members);
  return idOf(eligibleEntries(members));
}

const RING_ID_HEX_DIGITS = 16;

/** Control characters separate fields; a lone surrogate has no UTF-8 encoding of its own. */
const FORBIDDEN_IN_ID = /[\p{Cc}\p{Cs}]/u;

/** An eligible member with the values that the ring derives from it. */
interface Entry<M extends RingMember> extends RingEntry {
  readonly member: M;
  /** `=` and the zone's UTF-8 bytes in hexadecimal, or `-` for none. */
  readonly zoneCode: string;
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
  // Many members share a zone.
  const zoneCodes = new Map<string, string>();
  const zoneCodeOf = (zone: string) => {
    const code = zoneCodes.get(zone) ?? `=${Buffer.from(zone).toString("hex")}`;
    zoneCodes.set(zone, code);
    return code;
  };
  return members
    .filter((member) => member.weight > 0)
    .map((member) => ({
      member,
      idBytes: Buffer.from(member.id),
      pointCount: pointsForWeight(member.weight),
      zoneCode: member.zone === undefined ? "-" : zoneCodeOf(member.zone),
    }))
    .sort((one, other) => Buffer.compare(one.idBytes, other.idBytes));
}

function idOf(entries: readonly Entry<RingMember>[]): string {
  let text = "ring-v1\n";
  for (const { member, pointCount, zoneCode } of entries)
    text += `${member.id}\t${pointCount}\t${zoneCode}\n`;
  return createHash("sha256").update(text).digest("hex").slice(0, RING_ID_HEX_DIGITS);
}
