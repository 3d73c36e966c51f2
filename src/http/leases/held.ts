import { CoordinationError, type ErrorCode } from "../../errors.js";
import type { Held } from "../../primitives/leases/lease-terms.js";

/** The problems of every request to acquire locks, permits or a term. */
export const ACQUIRE_PROBLEMS: readonly ErrorCode[] = [
  "held",
  "too_many",
  "lease_mismatch",
  "lease_lost",
  "unknown_member",
  "superseded",
  "no_quorum",
];

/** The lease that was acquired. Throws `held` if none was. `what`: `orders-42 is held by another lease`. */
export function grantedOr<L>(
  what: string,
  outcome: { readonly kind: "acquired"; readonly lease: L } | Held,
): L {
  if (outcome.kind === "held") throw held(what, outcome);
  return outcome.lease;
}

/** What to say of a lock that another lease holds. */
export const isHeld = (name: string): string => `${name} is held by another lease`;

/** The failure of a request that did not get its lock, permits or term. */
export function held(what: string, { holder, retryAfterMs, queuePosition }: Held): CoordinationError {
  return new CoordinationError(
    "held",
    holder
      ? `${what}. Try again, at the latest after retryAfterMs.`
      : "Other requests come first, or were made at the same moment. Try again after retryAfterMs.",
    { help: { retryAfterMs, queuePosition, ...(holder && { holder }) } },
  );
}
