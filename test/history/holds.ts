import { type Violation, violation } from "./check.js";
import {
  asked,
  done,
  groupBy,
  type History,
  namesOf,
  type Operation,
  ofKind,
  type Wanted,
  type WorldEvent,
} from "./operation.js";

/** A time in which a client may trust that it holds the name. */
export interface Hold {
  readonly name: string;
  readonly wanted: Wanted;
  readonly leaseId: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** When what it rests on was asked for. */
  readonly askedMs: number;
  /** The same as `untilMs` where it is not released before. */
  readonly validUntilMs: number;
  /** The earliest moment of which a primary may have stored a time that it rests on. */
  readonly storedMs: number;
  /** What granted or renewed it. */
  readonly by: Operation;
}

/**
 * No two leases of a name may be trusted at one time, but for readers, and for permits up to the limit. A client trusts its lease from the answer until its validity ends
 * or it sends the release. Not promised of a lease that a clock jump cut short, nor when a majority lost its leases.
 */
export function checkHolds(history: History): Violation[] {
  const { operations, events } = history;
  const excused = (a: Hold, b: Hold) =>
    isCutShort(a, b, events) ||
    isCutShort(b, a, events) ||
    areLost(events, Math.min(a.askedMs, b.askedMs), Math.max(a.fromMs, b.fromMs));
  const violations: Violation[] = [];
  for (const holds of groupBy(holdsOf(operations), (hold) => hold.name).values()) {
    holds.sort((a, b) => a.fromMs - b.fromMs);
    // The holds before that are still trusted: nearly always one.
    let open: Hold[] = [];
    for (const hold of holds) {
      open = open.filter(({ untilMs }) => untilMs > hold.fromMs);
      const others = open.filter((other) => other.leaseId !== hold.leaseId && !excused(other, hold));
      violations.push(...(hold.wanted.limit === undefined ? besideOne(others, hold) : tooMany(others, hold)));
      open.push(hold);
    }
  }
  return violations;
}

/** Whether a majority lost its leases in this time. */
export function areLost(events: readonly WorldEvent[], fromMs: number, toMs: number): boolean {
  return ofKind(events, "majority_lost").some(({ leases, atMs }) => leases && fromMs <= atMs && atMs <= toMs);
}

/**
 * Whether clock jumps explain that `next` was granted while `hold` was still trusted. A primary whose clock jumps ahead
 * ends what it stored before, holds and quarantines, earlier by as much: so `next` can come earlier by as much, and no
 * more. A clock that is set back ends nothing early. Several jumps of one primary add up.
 */
export function isCutShort(
  hold: Hold,
  next: { readonly fromMs: number },
  events: readonly WorldEvent[],
): boolean {
  const aheadMs = new Map<string, number>();
  for (const event of ofKind(events, "clock_jump")) {
    if (event.byMs <= 0) continue;
    if (event.doneMs < hold.storedMs || event.atMs > Math.min(hold.untilMs, next.fromMs)) continue;
    aheadMs.set(event.primary, (aheadMs.get(event.primary) ?? 0) + event.byMs);
  }
  return Math.max(0, ...aheadMs.values()) > hold.validUntilMs - next.fromMs;
}

function besideOne(others: readonly Hold[], { name, wanted, ...hold }: Hold): Violation[] {
  const inTheWay = others.filter((other) => !(other.wanted.mode === "shared" && wanted.mode === "shared"));
  return inTheWay.map((other) => {
    const ms = Math.min(other.untilMs, hold.untilMs) - hold.fromMs;
    const what = `${name} had two holders for ${ms.toFixed(1)} ms from ${hold.fromMs.toFixed(1)} on`;
    return violation("holds", what, other.by, hold.by);
  });
}

function tooMany(others: readonly Hold[], hold: Hold): Violation[] {
  const { name, fromMs, by, wanted } = hold;
  // A renewed lease is in there with each of its renewals.
  const leases = [...groupBy([...others, hold], ({ leaseId }) => leaseId).values()];
  const permits = leases.reduce((sum, [first]) => sum + (first?.wanted.permits ?? 1), 0);
  if (permits <= (wanted.limit ?? 0)) return [];
  const what = `${permits} of the ${wanted.limit} permits of ${name} were held from ${fromMs.toFixed(1)} on`;
  return [violation("holds", what, ...others.map((other) => other.by), by)];
}

export function holdsOf(operations: readonly Operation[]): Hold[] {
  const releasedMs = new Map<string, number>();
  for (const { request, startMs } of asked(operations, "release"))
    releasedMs.set(request.leaseId, Math.min(startMs, releasedMs.get(request.leaseId) ?? startMs));
  const holds = (
    by: Operation & { endMs: number; request: Wanted },
    leaseId: string,
    validUntilMs: number,
  ): Hold[] =>
    namesOf(by.request).map((name) => ({
      name,
      wanted: by.request,
      leaseId,
      fromMs: by.endMs,
      validUntilMs,
      untilMs: Math.min(validUntilMs, releasedMs.get(leaseId) ?? validUntilMs),
      askedMs: by.startMs,
      storedMs: by.startMs - ("waitMs" in by.request && by.request.waitMs ? CLOCK_READ_BEFORE_MS : 0),
      by,
    }));
  return [
    ...done(operations, "acquire", "granted").flatMap((one) =>
      holds(one, one.outcome.leaseId, one.outcome.validUntilMs),
    ),
    ...done(operations, "renew", "renewed").flatMap((one) =>
      holds(one, one.request.leaseId, one.outcome.validUntilMs),
    ),
  ].filter(({ fromMs, untilMs }) => fromMs < untilMs);
}

/**
 * A handoff tells the time of the primary's clock, which the instance has read within the last 0.8 s: a jump since then
 * moves the beginning of the lease.
 */
const CLOCK_READ_BEFORE_MS = 1_000;
