/** A guard of a service as a primary has it. */
export interface Guard {
  /** Time until it ends, ms; 0 or less: it has ended. */
  readonly endsInMs: number;
  /** Time until another may begin, ms. */
  readonly restsForMs: number;
}

/**
 * The guard that all primaries are to have, by what those that answered have: the one that there is, so that none begins
 * twice, or else a new one.
 */
export function guardFor(known: readonly (Guard | null)[]): Guard {
  const begun = known.filter((guard) => guard !== null);
  if (begun.length === 0) return { endsInMs: GUARD_MS, restsForMs: 2 * GUARD_MS };
  return begun.reduce((latest, guard) => (guard.restsForMs > latest.restsForMs ? guard : latest));
}

/** How long a guard lasts. Another may begin as much time after it has ended. */
export const GUARD_MS = 30_000;
/** A smaller service cannot tell a fault of the network from that of one or two members. */
export const GUARDED_MEMBERS_MIN = 5;
