import type { Lost } from "../../algorithms/renewals.js";
import { CoordinationError } from "../../errors.js";

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
  const stop = "Stop what it protected and acquire again.";
  switch (why.kind) {
    case "broken":
      return new CoordinationError("lease_lost", `An operator broke this lease: ${why.reason}. ${stop}`, {
        help: { lost: { why: "broken", reason: why.reason } },
      });
    case "taken":
      // Other readers hold it, as they did beside this lease.
      if (why.counter <= token) return lost({ kind: "expired" }, token);
      return new CoordinationError(
        "lease_lost",
        `This lease ended, and a later one with a token of up to ${why.counter} has or had what it held. ${stop}`,
        { help: { lost: { why: "taken", newest: why.counter } } },
      );
    case "restarted":
      return new CoordinationError(
        "lease_lost",
        `A majority of the primaries restarted since this lease was granted, and leases of before cannot be renewed. Nobody is known to have had what it held. ${stop}`,
        { help: { lost: { why: "restarted" } } },
      );
    case "released":
      return new CoordinationError("lease_lost", `This lease was released. ${stop}`, {
        help: { lost: { why: "released" } },
      });
    case "expired":
      return new CoordinationError(
        "lease_lost",
        `This lease is not held any more: it expired, was released, or never was. ${stop}`,
        { help: { lost: { why: "expired" } } },
      );
  }
}

export function usedUp(): CoordinationError {
  return new CoordinationError(
    "lease_lost",
    "This leaseId was released before, and an id is used for one lease. Acquire with a new one.",
    { help: { lost: { why: "released" } } },
  );
}

export function tooSlow(ttlMs: number): CoordinationError {
  return new CoordinationError(
    "no_quorum",
    `A majority of the primaries answered, but so late that nothing was left of ttlMs ${ttlMs}. Ask for a longer ttlMs.`,
  );
}

export function limitMismatch(limit: number): CoordinationError {
  return new CoordinationError(
    "limit_mismatch",
    `This semaphore has the limit ${limit}, and all who acquire must name the same. An operator can change it (PUT).`,
    { help: { limit } },
  );
}
