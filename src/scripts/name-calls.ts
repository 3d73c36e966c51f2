import { type Hold, parseHold } from "./hold.js";
import type { Keys } from "./keys.js";
import { leaseCall, type Mode, NOBODY } from "./lease-calls.js";
import type { Call } from "./scripts.js";

/** A waiter, without its secret. */
export interface Waiter {
  readonly digest: string;
  readonly mode: Mode;
  readonly owner: string;
}

/** What one primary knows about a name. */
export interface NameView {
  /** The name's counter. */
  readonly counter: number;
  readonly holds: readonly Hold[];
  /** Number of waiters. */
  readonly waiting: number;
  /** The first waiters, in queue order. */
  readonly queue: readonly Waiter[];
}

export function inspectName(keys: Keys, resource: string): Call<NameView> {
  const claim = { ...NOBODY, resources: [resource], queues: [resource] };
  return leaseCall(keys, "inspect-name", claim, [LISTED_MAX], (reply) => {
    const [counter, holds, waiting, queue] = reply as [string, unknown[][], number, [string, string][]];
    return {
      counter: Number(counter),
      holds: holds.map(parseHold),
      waiting,
      queue: queue.map(([member, owner]) => ({
        digest: member.slice(1),
        mode: member.startsWith("r") ? "shared" : "exclusive",
        owner,
      })),
    };
  });
}

/** Maximum number of holders of a name, and of waiters, that are described. */
export const LISTED_MAX = 100;
