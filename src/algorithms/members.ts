/** How one primary has a member. */
export interface Versioned {
  readonly id: string;
  readonly incarnation: number;
  readonly revision: number;
  /** It left. */
  readonly left: boolean;
  /**
   * A tombstone of one that expired: `own` where this primary's deadline had passed, `copied` where another's had. Only
   * those of their own are votes: a member that one primary has lost has expired when a majority of all say so.
   */
  readonly expired: "own" | "copied" | null;
  /** Time until this primary's deadline, ms; below zero where it has passed. */
  readonly expiresInMs: number;
}

/** Above zero when `a` is newer: by incarnation, then one that left before a live record, then by revision. */
export function compareVersions(a: Versioned, b: Versioned): number {
  return a.incarnation - b.incarnation || Number(a.left) - Number(b.left) || a.revision - b.revision;
}

/** What passes of a record while it is under way from one primary to another, ms. */
interface Passing {
  readonly expiresInMs: number;
  readonly endsInMs: number | null;
  readonly heartbeatAgeMs: number;
  readonly goneForMs?: number | null | undefined;
}

/** The record as it is so many ms later: it never lives longer because it was copied or changed. Below zero: its time is over. */
export function later<R extends Passing>(record: R, elapsedMs: number): R {
  const passedMs = Math.ceil(elapsedMs);
  const { expiresInMs, endsInMs, heartbeatAgeMs, goneForMs } = record;
  return {
    ...record,
    expiresInMs: expiresInMs - passedMs,
    endsInMs: endsInMs === null ? null : Math.max(0, endsInMs - passedMs),
    heartbeatAgeMs: heartbeatAgeMs + passedMs,
    ...(typeof goneForMs === "number" && { goneForMs: goneForMs + passedMs }),
  };
}

export type MemberState =
  /** A primary has it, and its deadline there has not passed. */
  | "live"
  /** The same, but others say that it has expired, and whether they are a majority cannot be told. */
  | "doubtful"
  | "left"
  /** A majority of the primaries say so. */
  | "expired"
  /** No primary that was asked has it any more; they will say so in a moment. */
  | "lapsed"
  /** The same, but they will not say so before the guard of the service against mass expiry has ended. */
  | "guarded";

/** A member as known to a majority of the primaries. */
export interface Merged<T extends Versioned> {
  readonly state: MemberState;
  /** The newest record, with the longest time that any reply has for it. */
  readonly record: T;
  /** The latest revision, that of a tombstone of one that expired as well: what is told of a member that lives. */
  readonly latest: T;
  /** Indices of the replies that lack the record or have an older one. */
  readonly staleAt: readonly number[];
  /** Whether a primary has the tombstone of one that expired, that no majority have outlived since. */
  readonly isDisputed: boolean;
  /** Whether a primary has one that a majority have outlived. */
  readonly voids: boolean;
}

/** All primaries, those that did not answer among them. */
export interface Electorate {
  readonly primaries: number;
  readonly majority: number;
}

/**
 * Merges the replies of a majority, each reply being the records of one primary. Of several incarnations the latest counts.
 * A leave counts wherever it is. A member lives where any primary has it live: a majority of tombstones of one that expired
 * says otherwise, fewer do not. `timed`: the first of two records of one member, with the longer time of the two.
 */
export function mergeMembers<T extends Versioned>(
  replies: readonly (readonly T[])[],
  electorate: Electorate,
  timed: (newest: T, other: T) => T,
): Merged<T>[] {
  const columns = new Map<string, (T | undefined)[]>();
  replies.forEach((reply, at) => {
    for (const record of reply) {
      const column = columns.get(record.id) ?? new Array<T | undefined>(replies.length).fill(undefined);
      column[at] = record;
      columns.set(record.id, column);
    }
  });
  return [...columns.values()].map((column) => mergeOne(column, electorate, timed));
}

function mergeOne<T extends Versioned>(
  column: readonly (T | undefined)[],
  { primaries, majority }: Electorate,
  timed: (newest: T, other: T) => T,
): Merged<T> {
  const latest = Math.max(...column.map((record) => record?.incarnation ?? 0));
  const known = column.flatMap((record) => (record?.incarnation === latest ? [record] : []));
  const newest = (records: readonly T[]) => records.reduce((best, one) => newer(best, one, timed));
  const staleFor = (isFresh: (record: T) => boolean) =>
    column.flatMap((record, at) => (record?.incarnation === latest && isFresh(record) ? [] : [at]));

  const left = known.filter((record) => record.left);
  if (left.length > 0) {
    const record = newest(left);
    const staleAt = staleFor((other) => other.left && other.revision === record.revision);
    return { state: "left", record, latest: record, staleAt, ...PLAIN };
  }

  const votes = mostVotes(known);
  const expired = known.filter((record) => record.expired !== null);
  if (votes.count >= majority) {
    // Not of a later revision, which a change that failed left on fewer.
    const record = newest(expired.filter(({ revision }) => revision === votes.revision));
    const staleAt = staleFor((one) => one.expired !== null);
    return { state: "expired", record, latest: record, staleAt, ...PLAIN };
  }

  const stored = known.filter((record) => record.expired === null);
  const live = stored.filter((record) => record.expiresInMs > 0);
  if (live.length === 0) {
    // A tombstone only where there is nothing else.
    const record = newest(stored.length > 0 ? stored : known);
    return { state: "lapsed", record, latest: record, staleAt: [], ...PLAIN };
  }

  const record = newest(stored);
  // A majority that stored a later revision had no tombstone of their own then: those are void.
  const outlived = stored.filter(({ revision }) => revision > votes.revision).length >= majority;
  const unheard = primaries - column.length + known.filter((one) => one.expired === "copied").length;
  const against = known.filter((one) => one.expired === "own").length;
  const isDoubtful = against > 0 && !outlived && against + unheard >= majority;
  const staleAt = staleFor((other) =>
    other.expired === null
      ? other.revision === record.revision && other.expiresInMs > 0
      : !(outlived && record.revision > other.revision),
  );
  return {
    state: isDoubtful ? "doubtful" : "live",
    record,
    latest: newest(known),
    staleAt,
    isDisputed: !outlived && expired.length > 0,
    voids: outlived && expired.length > 0,
  };
}

const PLAIN = { isDisputed: false, voids: false };

/** The revision that most primaries say has expired, and how many. */
function mostVotes(known: readonly Versioned[]): { readonly revision: number; readonly count: number } {
  const counts = new Map<number, number>();
  for (const { expired, revision } of known)
    if (expired === "own") counts.set(revision, (counts.get(revision) ?? 0) + 1);
  let [most, count] = [0, 0];
  for (const [revision, votes] of counts)
    if (votes > count || (votes === count && revision > most)) [most, count] = [revision, votes];
  return { revision: most, count };
}

/** The later revision, with the time of whichever lives longer. */
function newer<T extends Versioned>(one: T, other: T, timed: (newest: T, other: T) => T): T {
  const order = one.revision - other.revision || one.expiresInMs - other.expiresInMs;
  return order >= 0 ? timed(one, other) : timed(other, one);
}
