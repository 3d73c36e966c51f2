import { STEP_SEQUENTIAL } from "./ring-points.js";
import { inSteps, type Steps } from "./steps.js";

/**
 * Finds where a walk over the points of a ring first meets each group of them, without visiting all points in between.
 * The groups are the zones, or the members.
 *
 * On the unrolled circle, the previous point of the same group as `i` has an index from i - n to i - 1, n being the
 * number of points (i - n: the point itself, one revolution earlier). A walk that begins at `start` first meets the
 * group at `i` exactly if that index is below `start`. So the next first meeting is the next entry of `levels[0]` below
 * a limit; each other level holds the minimum of each block of 16 of the level before, so a block without such an entry
 * costs one read. An answer of k groups takes k such searches: at most 2 x 16 reads at each of log16(n) levels,
 * whatever the weights.
 */
export interface FirstMeetings {
  readonly levels: readonly Int32Array[];
}

/** `groupOf` gives the group of each member, from 0 to groupCount - 1. */
export function* indexFirstMeetings(
  pointMembers: Uint32Array,
  groupOf: Uint32Array,
  groupCount: number,
): Steps<FirstMeetings> {
  const total = pointMembers.length;
  const last = new Int32Array(groupCount);
  yield* inSteps(total, STEP_SEQUENTIAL, (from, to) => {
    for (let i = from; i < to; i++) last[groupOf[pointMembers[i] as number] as number] = i - total;
  });
  const before = new Int32Array(total);
  yield* inSteps(total, STEP_SEQUENTIAL, (from, to) => {
    for (let i = from; i < to; i++) {
      const group = groupOf[pointMembers[i] as number] as number;
      before[i] = last[group] as number;
      last[group] = i;
    }
  });
  const levels: Int32Array[] = [before];
  for (let level: Int32Array = before; level.length > BLOCK; level = levels.at(-1) as Int32Array) {
    const least = new Int32Array(Math.ceil(level.length / BLOCK)).fill(total);
    yield* inSteps(level.length, STEP_SEQUENTIAL, (from, to) => {
      for (let i = from; i < to; i++) {
        const value = level[i] as number;
        if (value < (least[i >> BLOCK_BITS] as number)) least[i >> BLOCK_BITS] = value;
      }
    });
    levels.push(least);
  }
  return { levels };
}

/** One revolution over the points from `start`: the points at which it first meets a group, in walk order. */
export class Walk {
  readonly #levels: readonly Int32Array[];
  #at: number;
  #limit: number;

  constructor({ levels }: FirstMeetings, start: number) {
    this.#levels = levels;
    this.#at = start;
    this.#limit = start;
  }

  /** The next such point. There must be one: the caller knows how many groups there are. */
  next(): number {
    let at = firstBelow(this.#levels, this.#at, this.#limit);
    if (at < 0) {
      // Beyond the last point the walk continues at the first, where indices are those of one revolution later.
      this.#limit -= (this.#levels[0] as Int32Array).length;
      at = firstBelow(this.#levels, 0, this.#limit);
    }
    this.#at = at + 1;
    return at;
  }

  /** Whether the point that `next` has just returned is also the first of its group in another index. */
  isFirst(point: number, { levels }: FirstMeetings): boolean {
    return ((levels[0] as Int32Array)[point] as number) < this.#limit;
  }
}

const BLOCK_BITS = 4;
const BLOCK = 2 ** BLOCK_BITS;

/** Index of the first entry of `levels[0]` at or after `from` that is below `limit`; -1: there is none. */
function firstBelow(levels: readonly Int32Array[], from: number, limit: number): number {
  let at = from;
  let level = 0;
  for (;;) {
    const values = levels[level] as Int32Array;
    const end = Math.min((at | (BLOCK - 1)) + 1, values.length);
    while (at < end && (values[at] as number) >= limit) at++;
    if (at < end) break;
    if (end >= values.length) return -1;
    at = end >> BLOCK_BITS;
    level++;
  }
  while (level > 0) {
    level--;
    at <<= BLOCK_BITS;
    const values = levels[level] as Int32Array;
    while ((values[at] as number) >= limit) at++;
  }
  return at;
}
