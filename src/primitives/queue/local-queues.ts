import type { Clock } from "../../clock.js";
import type { Claim } from "../../scripts/lease-calls.js";
import { LocalQueue } from "./local-queue.js";
import type { Waiter } from "./waiter.js";

/** All waiters of this instance, by the names that they wait for and by their leases. */
export class LocalQueues {
  readonly #queues = new Map<string, LocalQueue>();
  readonly #byLease = new Map<string, Set<Waiter>>();

  constructor(private readonly clock: Pick<Clock, "after">) {}

  /** How many requests wait here. */
  get size(): number {
    let size = 0;
    for (const waiters of this.#byLease.values()) size += waiters.size;
    return size;
  }

  get isEmpty(): boolean {
    return this.#byLease.size === 0;
  }

  /** Whether any request here waits for any of the names. */
  hasWaiters({ queues }: Claim): boolean {
    return queues.some((name) => this.#queues.has(name));
  }

  queue(name: string): LocalQueue | undefined {
    return this.#queues.get(name);
  }

  /** The waiters for one lease: a request and its repetitions. */
  ofLease(leaseId: string): readonly Waiter[] {
    return [...(this.#byLease.get(leaseId) ?? [])];
  }

  add(waiter: Waiter): void {
    const { leaseId, queues } = waiter.claim;
    for (const name of queues) {
      const queue = this.#queues.get(name) ?? new LocalQueue();
      this.#queues.set(name, queue);
      queue.add(waiter);
    }
    const same = this.#byLease.get(leaseId);
    if (same) same.add(waiter);
    else this.#byLease.set(leaseId, new Set([waiter]));
  }

  remove(waiter: Waiter, granted: boolean): void {
    const { leaseId, mode, queues } = waiter.claim;
    for (const name of queues) {
      const queue = this.#queues.get(name);
      queue?.remove(waiter);
      if (granted && mode === "shared") queue?.readerGranted(waiter);
      if (queue?.size === 0) this.#queues.delete(name);
    }
    const same = this.#byLease.get(leaseId);
    same?.delete(waiter);
    if (same?.size === 0) this.#byLease.delete(leaseId);
  }

  /** Whether no waiter of this instance is before this one in any queue. */
  isFirst({ ticket, claim }: Waiter): boolean {
    return claim.queues.every((name) => (this.#queues.get(name)?.first?.ticket ?? ticket) >= ticket);
  }

  /** The waiters with no other waiter of this instance before them in any queue. */
  first(): readonly Waiter[] {
    const first = new Set<Waiter>();
    for (const queue of this.#queues.values()) if (queue.first) first.add(queue.first);
    return [...first].filter((waiter) => waiter.claim.queues.length === 1 || this.isFirst(waiter));
  }

  /** Nudges the waiter in `ms` if it is first then; 0: now. Returns a function that cancels the nudge. */
  nudgeFirstIn(waiter: Waiter, ms: number): () => void {
    const nudge = () => {
      if (this.isFirst(waiter)) waiter.nudge();
    };
    if (ms > 0) return this.clock.after(ms, nudge);
    nudge();
    return () => {};
  }

  nudgeFirst(): void {
    for (const waiter of this.first()) waiter.nudge();
  }

  nudgeAll(): void {
    for (const waiters of this.#byLease.values()) for (const waiter of waiters) waiter.nudge();
  }
}
