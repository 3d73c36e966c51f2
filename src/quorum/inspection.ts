import { heldByMajority } from "../algorithms/holds.js";
import type { exactMajority } from "../algorithms/tally.js";
import type { Hold } from "../scripts/hold.js";
import { inspectName, type Waiter } from "../scripts/holder-calls.js";
import type { Keys } from "../scripts/keys.js";
import type { Primaries } from "./primaries.js";

/** What a majority of the primaries know of a name. */
export interface Inspection {
  /** The holds that a majority report, one writer or readers; with their token where it is exact on a majority. */
  readonly holds: readonly (Hold & { readonly token: number | null })[];
  /** Whether a majority say that no lease holds it. */
  readonly free: boolean;
  /** No token above this one has been given out. */
  readonly highest: number;
  /** Number of waiters, and the first of them in queue order. */
  readonly waiting: number;
  readonly queue: readonly Waiter[];
}

/** Throws `no_quorum`. */
export async function inspectResource(
  primaries: Primaries,
  keys: Keys,
  resource: string,
  tally: typeof exactMajority,
): Promise<Inspection> {
  const { majority } = primaries;
  const views = await primaries.askAgreeing(inspectName(keys, resource), ({ counter, holds }) =>
    JSON.stringify([counter, ...holds.map((hold) => [hold.digest, hold.counter, hold.revision])]),
  );
  const tokenOf = ({ digest }: Hold) => {
    const counters = views.map((view) => view.holds.find((hold) => hold.digest === digest)?.counter ?? null);
    const verdict = tally(counters, majority);
    return verdict.kind === "token" ? verdict.token : null;
  };
  const holds = views.map((view) => view.holds);
  const fullest = views.reduce((best, view) => (view.queue.length > best.queue.length ? view : best));
  return {
    holds: heldByMajority(holds, majority).map((hold) => ({ ...hold, token: tokenOf(hold) })),
    free: holds.filter(({ length }) => length === 0).length >= majority,
    highest: Math.max(...views.flatMap((view) => [view.counter, ...view.holds.map((hold) => hold.counter)])),
    waiting: Math.max(...views.map((view) => view.waiting)),
    queue: fullest.queue,
  };
}
