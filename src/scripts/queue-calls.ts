import type { Keys } from "./keys.js";
import { type Claim, type Hold, leaseCall, parseHold } from "./lease-calls.js";
import { type Call, SCRIPTS } from "./scripts.js";

/** A place in the lines: where the lease stands already, or behind all who do. And the server's clock. */
export function takeTicket(
  keys: Keys,
  claim: Claim,
): Call<{ ticket: number; taken: boolean; serverMicros: number }> {
  const call = leaseCall(keys, "take-ticket", claim, [], (reply) => {
    const [ticket, taken, micros] = reply as [string, number, string];
    return { ticket: Number(ticket), taken: taken === 1, serverMicros: Number(micros) };
  });
  return { ...call, batched: true };
}

/** What a primary knew of a request that left the lines ungranted. */
export interface Left {
  /** How many stood before it. */
  readonly ahead: number;
  /** Another lease that has one of the names. */
  readonly hold: Hold | null;
}

/**
 * Takes a request out of the lines. `back`: what it gives back of what it has; where its lease was granted, only what was
 * handed on in that turn, if anything. `keepMs`: how long the place is kept for a client that may come back. `wake`:
 * whoever comes first may be let in now, though nothing became free by this.
 */
export function leaveQueue(
  keys: Keys,
  claim: Claim,
  nonce: string,
  how: { back: "all" | "none" | number; keepMs: number; notify: boolean },
): Call<Left> {
  const own = [nonce, how.back, how.keepMs, how.notify ? "1" : ""];
  const call = leaseCall(keys, "leave-queue", claim, own, (reply) => {
    const [ahead, ...hold] = reply as [number, ...unknown[]];
    return { ahead: Number(ahead), hold: hold.length > 0 ? parseHold(hold) : null };
  });
  return { ...call, batched: true };
}

/** What a primary tells an instance that says it lives. */
export interface StillWaiting {
  readonly serverMicros: number;
  /** Time until each of the holds ends by itself, ms; 0 where it is free, or the lease's own. */
  readonly endsInMs: readonly number[];
}

/** `waiting`: who asks, and for what. */
export function keepWaiting(
  keys: Keys,
  instance: string,
  forMs: number,
  waiting: readonly { readonly leaseId: string; readonly resource: string }[] = [],
): Call<StillWaiting> {
  return {
    script: SCRIPTS["keep-waiting"],
    keys: [keys.instance(instance), ...waiting.map(({ resource }) => keys.hold(resource))],
    args: [forMs, ...waiting.map(({ leaseId }) => leaseId)],
    parse: (reply) => {
      const [micros, ...endsInMs] = reply as [string, ...number[]];
      return { serverMicros: Number(micros), endsInMs };
    },
  };
}
