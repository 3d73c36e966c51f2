import { PrimaryFailure } from "../redis/failures.js";
import type { Primary } from "../redis/primary.js";
import { type BoundLease, type BoundTo, listBound, parseBound } from "../scripts/bound-calls.js";
import { type HeldLease, listHolders } from "../scripts/holder-calls.js";
import type { Keys } from "../scripts/keys.js";
import type { Call } from "../scripts/scripts.js";
import { type Parts, scanSet } from "../scripts/set-calls.js";

/** Runs one call of several, all of them on the same primary. */
type Run = <T>(call: Call<T>) => Promise<T>;

/**
 * The members of a set of deadlines on one primary, read in parts. Whatever is in it from the beginning to the end of the
 * scan is found; what comes or goes meanwhile may be. Rejects with `PrimaryFailure`, also where the primary reconnected or
 * its configuration changed during the scan. `isOver`: whether the rest is not needed any more. `graceMs`: as in `scanSet`.
 */
export async function scanOn(
  primary: Primary,
  set: string,
  isOver = () => false,
  graceMs = 0,
): Promise<string[]> {
  return scanBy(steadilyOn(primary), set, isOver, graceMs);
}

/** The same, with the calls run by `run`. */
export async function scanBy(run: Run, set: string, isOver?: () => boolean, graceMs = 0): Promise<string[]> {
  // Redis may return a member twice.
  return [...new Set(await allParts(run, (from) => scanSet(set, from, graceMs), isOver))];
}

/** The leases that hold a resource on one primary, read in the same way. */
export async function holdersOn(primary: Primary, keys: Keys, resource: string): Promise<HeldLease[]> {
  const found = await allParts(steadilyOn(primary), (from) => listHolders(keys, resource, from));
  return [...new Map(found.map((lease) => [lease.leaseId, lease])).values()];
}

/** The leases in the list of a member on one primary, read in the same way. */
export async function boundOn(
  primary: Primary,
  keys: Keys,
  member: BoundTo,
  keptMs: number,
): Promise<BoundLease[]> {
  const found = await allParts(steadilyOn(primary), (from) => listBound(keys, member, from, keptMs));
  return found.map(parseBound);
}

/** Runs every call in the epochs of the first: else the primary could forget its data between two parts, unnoticed. */
export function steadilyOn(primary: Primary): Run {
  const { connectionEpoch, configurationEpoch } = primary;
  if (connectionEpoch === null || configurationEpoch === null)
    throw new PrimaryFailure("not_sent", primary.status.reason ?? "");
  return (call) => primary.runAs(connectionEpoch, configurationEpoch, call);
}

async function allParts<T>(
  run: Run,
  call: (from: string) => Call<Parts<T>>,
  isOver = () => false,
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
