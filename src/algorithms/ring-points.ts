import { absorb, finish } from "./murmur3.js";
import { inSteps, type Steps } from "./steps.js";

/** All points of a ring, sorted by position and then by member. */
export interface Points {
  readonly positions: Uint32Array;
  /** Index of the point's member in the sorted members. */
  readonly members: Uint32Array;
  /** For each bucket of 2^bucketShift positions: index of the first point in it or after it. */
  readonly bucketStarts: Uint32Array;
  readonly bucketShift: number;
}

/** How many points a member has, and the prefix that all of them are hashed from. */
export interface PointsOfMember {
  readonly idBytes: Uint8Array;
  readonly pointCount: number;
}

/** Points of an eligible member: 256 for each 1.0 of weight, rounded half up, from 1 to 65,536. */
export function pointsForWeight(weight: number): number {
  const rounded = Math.floor(Math.min(POINTS_PER_WEIGHT * weight + 0.5, POINTS_MAX));
  return Math.max(1, rounded);
}

/**
 * Hashes every point and sorts by position: one stable distribution into a quarter to an eighth as many buckets as
 * points, followed by an insertion sort. Hashes spread evenly, so hardly any point moves far. Points are hashed in the
 * order of the members and both steps are stable, so points with the same position stay in the byte order of the ids.
 */
export function* sortedPoints(members: readonly PointsOfMember[]): Steps<Points> {
  const ends = endsOf(members);
  const total = ends.at(-1) ?? 0;
  const hashed = new Uint32Array(total);
  yield* hashPoints(members, hashed);
  const bucketShift = bucketShiftFor(total);
  const bucketStarts = new Uint32Array(2 ** (32 - bucketShift));
  yield* inSteps(total, STEP_POINTS, (from, to) => {
    for (let i = from; i < to; i++) {
      const bucket = (hashed[i] as number) >>> bucketShift;
      bucketStarts[bucket] = (bucketStarts[bucket] as number) + 1;
    }
  });
  let end = 0;
  yield* inSteps(bucketStarts.length, STEP_SEQUENTIAL, (from, to) => {
    for (let bucket = from; bucket < to; bucket++) {
      end += bucketStarts[bucket] as number;
      bucketStarts[bucket] = end;
    }
  });
  const points = {
    positions: new Uint32Array(total),
    members: new Uint32Array(total),
    bucketStarts,
    bucketShift,
  };
  yield* inSteps(total, STEP_SEQUENTIAL, (from, to) => {
    points.positions.fill(0, from, to);
    points.members.fill(0, from, to);
  });
  yield* distribute(hashed, ends, points);
  yield* inSteps(total, STEP_POINTS, (from, to) => insertionSort(points, from, to));
  return points;
}

/** Index of the first point at or after `place`, wrapping around to the first point. */
export function pointAtOrAfter(points: Points, position: number): number {
  const { positions, bucketStarts, bucketShift } = points;
  let at = bucketStarts[position >>> bucketShift] as number;
  while (at < positions.length && (positions[at] as number) < position) at++;
  return at < positions.length ? at : 0;
}

const POINTS_PER_WEIGHT = 256;
const POINTS_MAX = 65_536;

/** Points per step when hashing or moving them: 1 to 2 ms. */
const STEP_POINTS = 16_384;
/** Entries per step when reading an array once, in order. */
export const STEP_SEQUENTIAL = 8 * STEP_POINTS;
/** The cost of starting a member, in points. */
const MEMBER_COST_POINTS = 8;
const POINT_DIGITS_MAX = 5;

/** For each member the index behind its last point, in the order of the members. */
function endsOf(members: readonly PointsOfMember[]): Uint32Array {
  const ends = new Uint32Array(members.length);
  let end = 0;
  members.forEach(({ pointCount }, index) => {
    end += pointCount;
    ends[index] = end;
  });
  return ends;
}

function* hashPoints(members: readonly PointsOfMember[], positions: Uint32Array): Steps<void> {
  let at = 0;
  let left = STEP_POINTS;
  for (const { idBytes, pointCount } of members) {
    const hash = hasherOf(idBytes);
    left -= MEMBER_COST_POINTS;
    for (let from = 0; from < pointCount; ) {
      const to = Math.min(pointCount, from + Math.max(left, 1));
      hash(from, to, positions, at);
      at += to - from;
      left -= to - from;
      from = to;
      if (left > 0) continue;
      left = STEP_POINTS;
      yield;
    }
  }
}

/** Writes the hashes of id + "\n" + i to `places`, from index `at` on; their common prefix is hashed once. */
function hasherOf(idBytes: Uint8Array) {
  const bytes = new Uint8Array(idBytes.length + 1 + POINT_DIGITS_MAX);
  bytes.set(idBytes);
  bytes[idBytes.length] = 0x0a;
  const digitsStart = idBytes.length + 1;
  const common = absorb(0, bytes, 0, digitsStart);
  return (from: number, to: number, positions: Uint32Array, at: number): void => {
    for (let i = from; i < to; i++) {
      const end = writeDecimal(bytes, digitsStart, i);
      positions[at + i - from] = finish(absorb(common, bytes, digitsStart & ~3, end), bytes, end);
    }
  };
}

/** Writes a number below 100,000 in ASCII digits at `start`; returns the index behind its last digit. */
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

/**
 * Between 2 buckets (a single one would need a shift by 32, which is a shift by 0) and 2^24; in between a quarter to an
 * eighth as many as points, so that more of the bucket starts stay in the processor's cache and the points of a bucket
 * are adjacent.
 */
function bucketShiftFor(pointCount: number): number {
  const bits = 29 - Math.clz32(Math.max(pointCount - 1, 0));
  return 32 - Math.min(Math.max(bits, 1), 24);
}

/** Filling each bucket from its end, last point first, keeps the order and leaves the bucket's start. */
function* distribute(hashed: Uint32Array, ends: Uint32Array, points: Points): Steps<void> {
  const { positions, members, bucketStarts, bucketShift } = points;
  let member = ends.length - 1;
  yield* inSteps(hashed.length, STEP_POINTS, (from, to) => {
    for (let i = hashed.length - 1 - from; i > hashed.length - 1 - to; i--) {
      while (member > 0 && i < (ends[member - 1] as number)) member--;
      const position = hashed[i] as number;
      const at = (bucketStarts[position >>> bucketShift] as number) - 1;
      bucketStarts[position >>> bucketShift] = at;
      positions[at] = position;
      members[at] = member;
    }
  });
}

/** Sorts [0, to), where [0, from) is already sorted. */
function insertionSort({ positions, members }: Points, from: number, to: number): void {
  for (let i = Math.max(from, 1); i < to; i++) {
    const position = positions[i] as number;
    if ((positions[i - 1] as number) <= position) continue;
    const member = members[i] as number;
    let at = i;
    for (; at > 0 && (positions[at - 1] as number) > position; at--) {
      positions[at] = positions[at - 1] as number;
      members[at] = members[at - 1] as number;
    }
    positions[at] = position;
    members[at] = member;
  }
}
