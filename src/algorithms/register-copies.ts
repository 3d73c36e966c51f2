import type { Difference } from "./copies.js";
import { type Copy, isSameVersion, latestOf } from "./register.js";

/** How the copy of a register on one primary differs from what all should have. */
export interface RegisterDifference {
  /** The primary, by its place. */
  readonly place: number;
  readonly difference: Difference;
}

/**
 * Compares what the primaries have accepted of one register; null: nothing; undefined: it did not answer. What a majority have is
 * what all should have. A later version that fewer have may still be decided, or be the rest of a change that failed.
 */
export function differingRegisters(
  copies: readonly (Copy | null | undefined)[],
  majority: number,
): readonly RegisterDifference[] {
  const highest = latestOf(copies.map((copy) => copy ?? null));
  if (!highest) return [];
  const answered = [...copies.keys()].filter((place) => copies[place] !== undefined);
  // Copies of one ballot are alike, unless something else has written to a primary.
  const latest = mostAlike(copies.flatMap((copy) => (copy?.accepted === highest.accepted ? [copy] : [])));
  const having = answered.filter((place) => isSameVersion(copies[place], latest));
  if (having.length >= majority)
    return answered
      .filter((place) => !having.includes(place))
      .map((place) => ({ place, difference: differenceOf(copies[place] ?? null, latest) }));
  // The others may be on primaries that did not answer.
  if (answered.length < copies.length) return [];
  return having.map((place) => ({ place, difference: "unconfirmed" as const }));
}

function mostAlike(same: readonly Copy[]): Copy {
  const count = (one: Copy) => same.filter(({ text }) => text === one.text).length;
  return same.reduce((most, one) => (count(one) > count(most) ? one : most));
}

function differenceOf(copy: Copy | null, latest: Copy): Difference {
  if (!copy) return "missing";
  return copy.accepted === latest.accepted ? "diverged" : "stale";
}
