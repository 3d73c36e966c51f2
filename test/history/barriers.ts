import { type Violation, violation } from "./check.js";
import { lossOf } from "./objects.js";
import {
  asked,
  groupBy,
  type History,
  type Operation,
  type Outcome,
  ofKind,
  type Request,
} from "./operation.js";
import { mayHaveChanged } from "./registers.js";

/**
 * Nobody is released before as many have arrived as it takes, each of whom counts for its time, or is told that he has to wait
 * for a generation that was released before. Generations only grow. What came after a majority of the primaries lost data is not
 * judged.
 */
export function checkBarriers({ operations, events }: History): Violation[] {
  const jumps = ofKind(events, "clock_jump").length > 0;
  const all = asked(operations, "arrive");
  return [...groupBy(all, ({ request }) => request.barrier).values()].flatMap((its) => {
    const lostMs = lossOf(its, events);
    const arrivals = its.filter(({ startMs }) => startMs < lostMs);
    const told = arrivals.flatMap((one) =>
      one.outcome?.kind === "arrived" && one.endMs !== null && one.endMs < lostMs
        ? [{ ...one, endMs: one.endMs, outcome: one.outcome }]
        : [],
    );
    return [
      ...tooEarly(arrivals, told, jumps),
      ...[...groupBy(told, ({ outcome }) => String(outcome.generation)).values()].flatMap(waiting),
      ...backwards(told),
    ];
  });
}

type Arrival = Operation & { readonly request: Extract<Request, { kind: "arrive" }> };
type Told = Arrival & { readonly endMs: number; readonly outcome: Extract<Outcome, { kind: "arrived" }> };

function tooEarly(arrivals: readonly Arrival[], told: readonly Told[], jumps: boolean): Violation[] {
  return [...groupBy(told, ({ outcome }) => String(outcome.generation)).values()].flatMap((its) => {
    const first = firstReleased(its);
    if (!first) return [];
    const { generation } = first.outcome;
    const before = arrivals.filter((one) => one.startMs < first.endMs && mayCountAt(one, generation));
    // The most of them that may have counted at one moment.
    const most = Math.max(
      ...before.map(({ startMs }) => {
        const alive = before.filter((one) => one.startMs <= startMs && (jumps || endsMs(one) >= startMs));
        return new Set(alive.map(({ request }) => request.member)).size;
      }),
    );
    const { barrier, count } = first.request;
    if (most >= count) return [];
    const what = `${barrier} released generation ${generation} when ${most} of ${count} had arrived`;
    return [violation("barriers", what, ...before)];
  });
}

function mayCountAt({ request, outcome }: Arrival, generation: number): boolean {
  if (outcome?.kind === "arrived") return outcome.generation === generation;
  if (outcome?.kind === "failed" && NOTHING_DONE.includes(outcome.code)) return false;
  return mayHaveChanged(outcome) && (request.generation ?? generation) === generation;
}

/** It began to count before its answer; where there was none, nobody knows. */
function endsMs({ endMs, request, outcome }: Arrival): number {
  if (outcome?.kind !== "arrived" || endMs === null) return Number.POSITIVE_INFINITY;
  return endMs + Math.max(request.ttlMs, request.waitMs ?? 0) * (1 + DRIFT);
}

/** Told to wait for a generation after its release was told. */
function waiting(told: readonly Told[]): Violation[] {
  const first = firstReleased(told);
  const late = first && told.find(({ startMs, outcome }) => !outcome.released && startMs > first.endMs);
  if (!first || !late) return [];
  const what = `${first.request.barrier} released generation ${first.outcome.generation}, and then did not`;
  return [violation("barriers", what, first, late)];
}

function firstReleased(told: readonly Told[]): Told | undefined {
  return told.filter(({ outcome }) => outcome.released).sort((a, b) => a.endMs - b.endMs)[0];
}

function backwards(told: readonly Told[]): Violation[] {
  const byEnd = [...told].sort((a, b) => a.endMs - b.endMs);
  const byStart = told.filter(({ request }) => request.generation === undefined);
  let highest: Told | null = null;
  let next = 0;
  return byStart
    .sort((a, b) => a.startMs - b.startMs)
    .flatMap((later) => {
      for (let one = byEnd[next]; one && one.endMs < later.startMs; one = byEnd[++next])
        if (!highest || followingOf(one) > followingOf(highest)) highest = one;
      if (!highest || later.outcome.generation >= followingOf(highest)) return [];
      const what = `${later.request.barrier} went back to generation ${later.outcome.generation}`;
      return [violation("barriers", what, highest, later)];
    });
}

/** The least that those may be told who arrive later. */
const followingOf = ({ outcome }: Told) => outcome.generation + (outcome.released ? 1 : 0);

const NOTHING_DONE = ["not_found", "limit_mismatch"];
/** Clocks of primaries and the driver's differ in speed by so much. */
const DRIFT = 0.02;
