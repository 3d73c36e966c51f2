/** What a member reports about its load, as far as it reports it. */
export interface ReportedLoad {
  /** Shares of 1. */
  readonly cpu?: number | null | undefined;
  readonly memory?: number | null | undefined;
  readonly disk?: number | null | undefined;
  /** Requests that it works on. */
  readonly inFlight?: number | null | undefined;
}

export interface Loaded {
  readonly weight: number;
  readonly load?: ReportedLoad | null | undefined;
}

/**
 * How busy a member is, for comparison with others: its requests and one more, `given` among them, divided by its weight
 * and by what it has left of processor, memory and disk. What it does not report counts as idle.
 */
export function busyness({ weight, load }: Loaded, given = 0): number {
  const left = leftOf(load?.cpu) * leftOf(load?.memory) * leftOf(load?.disk);
  return (1 + (load?.inFlight ?? 0) + given) / (weight * left);
}

/** The mean of those that report their load; null: none does. */
export function meanBusyness(members: readonly Loaded[]): number | null {
  const reporting = members.filter(reportsLoad);
  if (reporting.length === 0) return null;
  return reporting.reduce((sum, member) => sum + busyness(member), 0) / reporting.length;
}

export function reportsLoad({ load }: Loaded): boolean {
  return load !== null && load !== undefined;
}

function leftOf(share: number | null | undefined): number {
  return Math.max(1 - (share ?? 0), LEFT_MIN);
}

/** Nothing left would be busy without end, and two such members could not be compared. */
const LEFT_MIN = 0.01;
