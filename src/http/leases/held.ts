import { CoordinationError } from "../../errors.js";
import type { Held } from "../../primitives/leases/lease-terms.js";

/** The failure of whoever did not get what it asked for, be it a lock, a permit or a term: `orders-42 is held by ...`. */
export function held(what: string, { holder, retryAfterMs, queuePosition }: Held): CoordinationError {
  return new CoordinationError(
    "held",
    holder
      ? `${what}. Try again, at the latest after retryAfterMs.`
      : "Others come first, or asked at the same moment. Try again after retryAfterMs.",
    { help: { retryAfterMs, queuePosition, ...(holder && { holder }) } },
  );
}
