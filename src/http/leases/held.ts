import { CoordinationError } from "../../errors.js";
import type { Held } from "../../primitives/leases/lease-terms.js";

/** What to say of a lock that another lease holds. */
export const isHeld = (name: string): string => `${name} is held by another lease`;

/** The failure of a request that did not get its lock, permits or term. `what`: `orders-42 is held by another lease`. */
export function held(what: string, { holder, retryAfterMs, queuePosition }: Held): CoordinationError {
  return new CoordinationError(
    "held",
    holder
      ? `${what}. Try again, at the latest after retryAfterMs.`
      : "Other requests come first, or were made at the same moment. Try again after retryAfterMs.",
    { help: { retryAfterMs, queuePosition, ...(holder && { holder }) } },
  );
}
