import { type Primary, PrimaryFailure } from "../redis/primary.js";
import { type HeldLease, listHolders } from "../scripts/holder-calls.js";
import type { Keys } from "../scripts/keys.js";
import type { Call } from "../scripts/scripts.js";
import { type Parts, scanSet } from "../scripts/set-calls.js";

/** Runs one call of several, all of them on the same primary. */
type Run = <T>(call: Call<T>) => Promise<T>;

/**
 * All that a set of deadlines has on one primary, read in parts. Whatever is in it from the beginning to the end is
 * found; what comes or goes meanwhile may be. Rejects with `PrimaryFailure`, also where the primary became another
 * meanwhile. `isOver`: whether the rest is of no use to anybody any more.
 */
export async function scanOn(primary: Primary, set: string, isOver: () => boolean): Promise<string[]> {
  return scanBy(steadilyOn(primary), set, isOver);
}

/** The same, of whatever runs the calls. */
export async function scanBy(run: Run, set: string, isOver = () => false): Promise<string[]> {
  // Redis may tell the same one twice.
  return [...new Set(await allParts(run, (from) => scanSet(set, from), isOver))];
}

/** The leases that hold a resource on one primary, in the same way. */
export async function holdersOn(primary: Primary, keys: Keys, resource: string): Promise<HeldLease[]> {
  const found = await allParts(
    steadilyOn(primary),
    (from) => listHolders(keys, resource, from),
    () => false,
  );
  return [...new Map(found.map((lease) => [lease.leaseId, lease])).values()];
}

/** A part alone would not tell that the primary forgot what the parts before were of: so all are for what it is now. */
function steadilyOn(primary: Primary): Run {
  const { connectionEpoch, configurationEpoch } = primary;
  if (connectionEpoch === null || configurationEpoch === null)
    throw new PrimaryFailure("not_sent", primary.status.reason ?? "");
  return (call) => primary.runAs(connectionEpoch, configurationEpoch, call);
}

async function allParts<T>(
  run: Run,
  call: (from: string) => Call<Parts<T>>,
  isOver: () => boolean,
): Promise<T[]> {
  const found: T[] = [];
  for (let from: string | null = "0"; from !== null; ) {
    if (isOver()) throw new PrimaryFailure("not_sent", "the rest was not needed");
    const part: Parts<T> = await run(call(from));
    found.push(...part.found);
    from = part.next;
  }
  return found;
}
