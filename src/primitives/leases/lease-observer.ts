import type { Waiter } from "../queue/waiter.js";

/** Is told what becomes of requests for leases, and of leases, at this instance. `queues`: those of the names. */
export interface LeaseObserver {
  /** A request has joined its queues. */
  joined(waiter: Waiter): void;
  /** It has left them, with its lease or without. */
  left(waiter: Waiter, granted: boolean): void;
  /** A request has its answer. */
  answered(queues: readonly string[], outcome: "granted" | "held"): void;
  /** A lease was granted or renewed, and lives for `ttlMs` at least unless it is ended. */
  holds(queues: readonly string[], leaseId: string, ttlMs: number): void;
  /** A heartbeat of its member was to renew a lease. `unknown`: nobody could tell. */
  beaten(outcome: "held" | "lost" | "unknown"): void;
  /** A lease was released, or was not held any more. */
  ended(leaseId: string): void;
}
