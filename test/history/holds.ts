import { type Violation, violation } from "./check.js";
import { asked, done, groupBy, type History, type Operation } from "./operation.js";

/** A time in which a client may trust that it alone holds the name. */
interface Hold {
  readonly leaseId: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** When what it rests on was asked for. */
  readonly askedMs: number;
  /** What granted or renewed it. */
  readonly by: Operation;
}

/**
 * No two leases of a name may be trusted at one time. A client trusts its lease from the answer until its validity ends
 * or it sends the release. Not promised across a clock fault, nor when a majority lost its leases.
 */
export function checkHolds(history: History): Violation[] {
  const { operations, events } = history;
  const excused = (a: Hold, b: Hold) =>
    events.some((event) => {
      if (event.kind === "clock_fault") {
        const during = (hold: Hold) => hold.askedMs <= event.untilMs && hold.untilMs >= event.atMs;
        return during(a) || during(b);
      }
      if (event.kind !== "majority_lost" || !event.leases) return false;
      return Math.min(a.askedMs, b.askedMs) <= event.atMs && Math.max(a.fromMs, b.fromMs) >= event.atMs;
    });
  const violations: Violation[] = [];
  for (const [name, holds] of groupBy(holdsOf(operations), ({ by }) => nameOf(by))) {
    holds.sort((a, b) => a.fromMs - b.fromMs);
    // The holds before that are still trusted: nearly always one.
    let open: Hold[] = [];
    for (const hold of holds) {
      open = open.filter(({ untilMs }) => untilMs > hold.fromMs);
      for (const other of open) {
        if (other.leaseId === hold.leaseId || excused(other, hold)) continue;
        const ms = Math.min(other.untilMs, hold.untilMs) - hold.fromMs;
        const what = `${name} had two holders for ${ms.toFixed(1)} ms from ${hold.fromMs.toFixed(1)} on`;
        violations.push(violation("holds", what, other.by, hold.by));
      }
      open.push(hold);
    }
  }
  return violations;
}

function holdsOf(operations: readonly Operation[]): Hold[] {
  const releasedMs = new Map<string, number>();
  for (const { request, startMs } of asked(operations, "release")) {
    const key = `${request.name}\n${request.leaseId}`;
    releasedMs.set(key, Math.min(startMs, releasedMs.get(key) ?? startMs));
  }
  const hold = (by: Operation & { endMs: number }, leaseId: string, validUntilMs: number): Hold => ({
    leaseId,
    fromMs: by.endMs,
    untilMs: Math.min(validUntilMs, releasedMs.get(`${nameOf(by)}\n${leaseId}`) ?? validUntilMs),
    askedMs: by.startMs,
    by,
  });
  return [
    ...done(operations, "acquire", "granted").map((one) =>
      hold(one, one.outcome.leaseId, one.outcome.validUntilMs),
    ),
    ...done(operations, "renew", "renewed").map((one) =>
      hold(one, one.request.leaseId, one.outcome.validUntilMs),
    ),
  ].filter(({ fromMs, untilMs }) => fromMs < untilMs);
}

function nameOf({ request }: Operation): string {
  return "name" in request ? request.name : "";
}
