import { murmur3 } from "./murmur3.js";
import { uniformDraws, weightedDraws } from "./pick-draws.js";

/**
 * The orders in which members are picked. Each is made as far as it is read, and has every member once. Randomness comes
 * from the caller.
 */

interface Named {
  readonly id: string;
}

/** Round-robin: from the one after `last` on. `members`: in the order of their ids, of which `last` need not be one. */
export function* inTurn<M extends Named>(members: readonly M[], last: string): Iterable<M> {
  let next = 0;
  for (let to = members.length; next < to; ) {
    const middle = (next + to) >>> 1;
    if ((members[middle] as M).id > last) to = middle;
    else next = middle + 1;
  }
  for (let i = 0; i < members.length; i++) yield members[(next + i) % members.length] as M;
}

/** Each with the same chance. */
export function* atRandom<M>(members: readonly M[], random: () => number): Iterable<M> {
  for (const index of uniformDraws(members.length, random)) yield members[index] as M;
}

/** Each with a chance in proportion to its weight. `sums`: as `sumsOf` makes them. */
export function* byWeight<M>(members: readonly M[], sums: Float64Array, random: () => number): Iterable<M> {
  for (const index of weightedDraws(sums, random)) yield members[index] as M;
}

/**
 * The less busy of two, and then of the other and a third, and so on: with a random order two random choices. Source:
 * Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing".
 */
export function* lessBusyOfTwo<M>(order: Iterable<M>, busyness: (member: M) => number): Iterable<M> {
  let kept: M | undefined;
  for (const member of order) {
    if (kept === undefined) {
      kept = member;
      continue;
    }
    const isLess = busyness(member) < busyness(kept);
    yield isLess ? member : kept;
    if (!isLess) kept = member;
  }
  if (kept !== undefined) yield kept;
}

/**
 * Those that are too busy come last. With the order of a key on a ring: consistent hashing with bounded loads. Source:
 * Mirrokni, Thorup, Zadimoghaddam.
 */
export function* busyLast<M>(order: Iterable<M>, isBusy: (member: M) => boolean): Iterable<M> {
  const busy: M[] = [];
  for (const member of order) {
    if (isBusy(member)) busy.push(member);
    else yield member;
  }
  yield* busy;
}

/** By the hash of the key with each member: what a key gets where there is no ring. Source: Thaler and Ravishankar. */
export function byHash<M extends Named>(members: readonly M[], key: string): M[] {
  return members
    .map((member) => ({ member, hash: murmur3(`${member.id}\n${key}`) }))
    .sort((one, other) => other.hash - one.hash)
    .map(({ member }) => member);
}

/** Without some. */
export function* without<M extends Named>(order: Iterable<M>, excluded: ReadonlySet<string>): Iterable<M> {
  for (const member of order) if (!excluded.has(member.id)) yield member;
}

/** The first so many. */
export function firstOf<M>(order: Iterable<M>, count: number): M[] {
  const first: M[] = [];
  if (count === 0) return first;
  for (const member of order) {
    first.push(member);
    if (first.length === count) break;
  }
  return first;
}
