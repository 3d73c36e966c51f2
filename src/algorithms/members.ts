/** The fields that decide which of two records of one member is newer. */
export interface Versioned {
  readonly id: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly left: boolean;
}

/** Above zero when `a` is newer: by incarnation, then a tombstone before a live record, then by revision. */
export function compareVersions(a: Versioned, b: Versioned): number {
  return a.incarnation - b.incarnation || Number(a.left) - Number(b.left) || a.revision - b.revision;
}

/** A member as known to a majority of the primaries. */
export interface Merged<T extends Versioned> {
  /** The newest record; of equally new ones the one that lives longest. */
  readonly record: T;
  /** Indices of the replies that lack the record or have an older one. */
  readonly staleAt: readonly number[];
}

/**
 * Merges the replies of a majority, each reply being the records of one primary. A member is alive if its newest record
 * is alive in any reply. `prefer` decides which of two equally new records to take.
 */
export function mergeMembers<T extends Versioned>(
  replies: readonly (readonly T[])[],
  prefer: (a: T, b: T) => T,
): Merged<T>[] {
  const stored = replies.map((reply) => new Map(reply.map((record) => [record.id, record])));
  const newest = new Map<string, T>();
  for (const record of replies.flat()) {
    const best = newest.get(record.id);
    const order = best ? compareVersions(record, best) : 1;
    if (order > 0) newest.set(record.id, record);
    else if (best && order === 0) newest.set(record.id, prefer(best, record));
  }
  return [...newest.values()].map((record) => ({
    record,
    staleAt: stored.flatMap((records, position) => {
      const theirs = records.get(record.id);
      return theirs && compareVersions(theirs, record) === 0 ? [] : [position];
    }),
  }));
}
