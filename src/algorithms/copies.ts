import { compareVersions, type Versioned } from "./members.js";

/**
 * How the copy of one primary differs from what the primaries should have alike. `missing`, `stale`: it has none, or an older
 * one. `diverged`: one of the same version with other content. `unconfirmed`: a newer one that no majority have.
 */
export const DIFFERENCES = ["missing", "stale", "diverged", "unconfirmed"] as const;

export type Difference = (typeof DIFFERENCES)[number];

/** A record as one primary stores it. */
export type Copy = Versioned;

export interface Differing<T extends Copy> {
  readonly id: string;
  readonly difference: Difference;
  /** The primary, by its place. */
  readonly place: number;
  /** What all should have. */
  readonly expected: T;
  /** Whether it may be copied to this primary. */
  readonly isRepairable: boolean;
}

/**
 * Compares the copies of all primaries; null: one did not answer. A live record counts where a majority of all hold the very
 * same, and only then may it be copied: what fewer hold may be the rest of a member that has left or expired. The tombstone of
 * a leave counts wherever it is. One that expires is left to the primaries themselves. What ends within `endsSoonMs` is left out: one primary may have removed it already.
 * `contentOf`: the same text for the same content.
 */
export function differingCopies<T extends Copy>(
  replies: readonly (readonly T[] | null)[],
  majority: number,
  contentOf: (record: T) => string,
  endsSoonMs: number,
): Differing<T>[] {
  const byId = new Map<string, Map<number, T>>();
  replies.forEach((reply, place) => {
    for (const record of reply ?? []) {
      const isLapsed = !record.left && record.expired === null && record.expiresInMs <= 0;
      if (isLapsed) continue;
      const copies = byId.get(record.id) ?? new Map<number, T>();
      byId.set(record.id, copies.set(place, record));
    }
  });
  const answered = replies.flatMap((reply, place) => (reply === null ? [] : [place]));
  return [...byId].flatMap(([id, copies]) =>
    differingOf(id, copies, answered, replies.length, majority, contentOf).filter(
      ({ expected }) => expected.expiresInMs > endsSoonMs,
    ),
  );
}

function differingOf<T extends Copy>(
  id: string,
  copies: ReadonlyMap<number, T>,
  answered: readonly number[],
  primaries: number,
  majority: number,
  contentOf: (record: T) => string,
): Differing<T>[] {
  const newest = [...copies.values()].reduce((best, one) => (compareVersions(one, best) > 0 ? one : best));
  // Each primary says so by itself, once its own deadline has passed; reads bring what was decided to the others.
  const isExpiring = [...copies.values()].some(
    ({ incarnation, expired }) => incarnation === newest.incarnation && expired !== null,
  );
  if (isExpiring) return [];
  const same = [...copies].filter(([, one]) => compareVersions(one, newest) === 0);
  const held = mostAlike(same, contentOf);
  const isConfirmed = newest.left || held.length >= majority;
  // The rest may be on primaries that did not answer.
  if (!isConfirmed && answered.length < primaries) return [];
  const [, first] = held[0] as [number, T];
  const expected = held.reduce(
    (longest, [, one]) => (one.expiresInMs > longest.expiresInMs ? one : longest),
    first,
  );
  if (!isConfirmed)
    return same.map(([place]) => ({ id, difference: "unconfirmed", place, expected, isRepairable: false }));
  const alike = new Set(held.map(([place]) => place));
  return answered
    .filter((place) => !alike.has(place))
    .map((place) => {
      const copy = copies.get(place);
      if (copy === undefined) return { id, difference: "missing", place, expected, isRepairable: true };
      const isOlder = compareVersions(copy, newest) < 0;
      return { id, difference: isOlder ? "stale" : "diverged", place, expected, isRepairable: isOlder };
    });
}

/** Those among copies of one version whose content most of them have. */
function mostAlike<T>(
  same: readonly (readonly [number, T])[],
  contentOf: (record: T) => string,
): readonly (readonly [number, T])[] {
  const groups = new Map<string, (readonly [number, T])[]>();
  for (const one of same) {
    const content = contentOf(one[1]);
    groups.set(content, [...(groups.get(content) ?? []), one]);
  }
  return [...groups.values()].reduce((most, group) => (group.length > most.length ? group : most));
}
