import { type Hold, parseHold } from "./hold.js";
import type { Keys } from "./keys.js";
import { type Claim, leaseCall } from "./lease-calls.js";
import { type Call, scriptCall } from "./scripts.js";

/** A primary's proposal of a ticket, or the one that the lease has already: then it is `taken`. */
export interface Ticket {
  readonly ticket: number;
  readonly taken: boolean;
  readonly serverMicros: number;
  /** Entries in the longest of the queues that it would join; 0 if it is in them. */
  readonly queueLength: number;
}

/** A ticket for the queues: the one that the lease has already, or one behind every entry. Also the server's clock. */
export function takeTicket(keys: Keys, claim: Claim): Call<Ticket> {
  return leaseCall(keys, "take-ticket", claim, [], (reply) => {
    const [ticket, taken, micros, queueLength = 0] = reply as [string, number, string, number?];
    return { ticket: Number(ticket), taken: taken === 1, serverMicros: Number(micros), queueLength };
  });
}

/** What a primary knew about a request that left the queues without a grant. */
export interface Left {
  /** How many entries were ahead of it. */
  readonly ahead: number;
  /** Another lease that has one of the names. */
  readonly hold: Hold | null;
}

/**
 * Takes a request out of the queues. `back`: which of its holds it gives back; if its lease was granted, only those handed
 * off in that attempt, if any. `keepMs`: how long the entries are kept for a client that may come back. `notify`: the first
 * waiter may be granted the name now, although this call freed nothing.
 */
export function leaveQueue(
  keys: Keys,
  claim: Claim,
  nonce: string,
  how: { back: "all" | "none" | number; keepMs: number; notify: boolean },
): Call<Left> {
  const own = [nonce, how.back, how.keepMs, how.notify ? "1" : ""];
  return leaseCall(keys, "leave-queue", claim, own, (reply) => {
    const [ahead, ...hold] = reply as [number, ...unknown[]];
    return { ahead: Number(ahead), hold: hold.length > 0 ? parseHold(hold) : null };
  });
}

/** A primary's reply to the keepalive of an instance. */
export interface StillWaiting {
  readonly serverMicros: number;
  /** Time until each of the holds expires, ms; 0 if it is free, or the lease's own. */
  readonly endsInMs: readonly number[];
}

/** `waiting`: the leases that wait, and for which resource. */
export function keepWaiting(
  keys: Keys,
  instance: string,
  forMs: number,
  waiting: readonly { readonly leaseId: string; readonly resource: string }[] = [],
): Call<StillWaiting> {
  const holds = waiting.map(({ resource }) => keys.hold(resource));
  const args = [forMs, ...waiting.map(({ leaseId }) => leaseId)];
  return scriptCall("keep-waiting", [keys.instance(instance), ...holds], args, (reply) => {
    const [micros, ...endsInMs] = reply as [string, ...number[]];
    return { serverMicros: Number(micros), endsInMs };
  });
}
