import type { Lost } from "../../algorithms/renewals.js";
import { CoordinationError, type ErrorHelp } from "../../errors.js";

export function mismatch(): CoordinationError {
  return new CoordinationError(
    "lease_mismatch",
    "This leaseId is for something else: other names, another mode, or another kind. Name all that it was acquired for, or choose a new id: one is used for one lease.",
  );
}

export function quarantined({ primaries, forMs }: { primaries: number; forMs: number }): CoordinationError {
  return new CoordinationError(
    "no_quorum",
    `${primaries} primaries restarted, and grant no new lease until those that they may have forgotten have ended. Try again after retryAfterMs.`,
    { help: { retryAfterMs: forMs } },
  );
}

/** The error for a lost lease; it says what is known of the cause. */
export function lost(why: Lost["why"], token: number): CoordinationError {
  switch (why.kind) {
    case "broken":
      return leaseLost(`An operator broke this lease: ${why.reason}.`, { why: "broken", reason: why.reason });
    case "taken":
      // Other readers hold it, as they did beside this lease.
      if (why.counter <= token) return lost({ kind: "expired" }, token);
      return leaseLost(
        `This lease ended, and a later one with a token of up to ${why.counter} has or had what it held.`,
        { why: "taken", newest: why.counter },
      );
    case "restarted":
      return leaseLost(
        "A majority of the primaries restarted since this lease was granted, and leases of before cannot be renewed. Nobody is known to have had what it held.",
        { why: "restarted" },
      );
    case "released":
      return leaseLost("This lease was released.", { why: "released" });
    case "expired":
      return leaseLost("This lease is not held any more: it expired, was released, or never was.", {
        why: "expired",
      });
  }
}

/** Nobody holds a lease with this leaseId and this token. */
export const notHeld = (): CoordinationError => lost({ kind: "expired" }, 0);

function leaseLost(
  what: string,
  lost: ErrorHelp["lost"] & object,
  advice = "Stop what it protected and acquire again.",
): CoordinationError {
  return new CoordinationError("lease_lost", `${what} ${advice}`, { help: { lost } });
}

export function usedUp(): CoordinationError {
  return leaseLost(
    "This leaseId was released before, and an id is used for one lease.",
    { why: "released" },
    "Acquire with a new one.",
  );
}

export function tooSlow(ttlMs: number): CoordinationError {
  return new CoordinationError(
    "no_quorum",
    `A majority of the primaries answered, but so late that nothing was left of ttlMs ${ttlMs}. Ask for a longer ttlMs.`,
  );
}

export function queueFull(length: number): CoordinationError {
  return new CoordinationError(
    "too_many",
    `${length} requests wait for the same, and no more may (QUORATE_QUEUE_LENGTH_MAX). Try again after retryAfterMs.`,
    { help: { retryAfterMs: 1_000 } },
  );
}

export function limitMismatch(limit: number): CoordinationError {
  return new CoordinationError(
    "limit_mismatch",
    `This semaphore has the limit ${limit}, and all who acquire must name the same. An operator can change it (PUT).`,
    { help: { limit } },
  );
}

/** The lease on a lock holds other locks too, which its breaker has no right to. It does not say which. */
export function notAllToBreak(): CoordinationError {
  return new CoordinationError(
    "forbidden",
    "A lease on it holds other locks as well, and this key has no grant for the action operate on all of them.",
  );
}
