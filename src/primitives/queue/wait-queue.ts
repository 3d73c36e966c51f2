import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { type Answers, answerOf, type Primaries, values } from "../../quorum/primaries.js";
import type { Notification, Notifications } from "../../redis/notifications.js";
import type { Keys } from "../../scripts/keys.js";
import type { Claim } from "../../scripts/lease-calls.js";
import { POLL_MS } from "../../scripts/liveness.js";
import { type Left, leaveQueue, takeTicket } from "../../scripts/queue-calls.js";
import { AttemptLimit } from "./attempt-limit.js";
import { Keepalive } from "./keepalive.js";
import { LocalQueue } from "./local-queue.js";
import { PrimaryClocks } from "./primary-clocks.js";
import { STRAGGLER_MS, Waiter, type WaitOutcome } from "./waiter.js";

/** How a request got its lease: its last attempt was granted, or a majority of primaries handed it off after that one. */
export type GrantedBy = "attempt" | "handoff";

/**
 * The waiters of this instance. The queues themselves are on the primaries; here each waiter sleeps until a primary
 * notifies it or hands the lease off to it, the holder's time is over, or, for the first of a queue, a check is due.
 */
export class WaitQueue {
  readonly #queues = new Map<string, LocalQueue>();
  readonly #byLease = new Map<string, Set<Waiter>>();
  readonly #clocks = new PrimaryClocks();
  readonly #attempts = new AttemptLimit(ATTEMPTS_AT_ONCE_MAX);
  readonly #keepalive: Keepalive;
  #stopped = false;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly notifications: Notifications,
    private readonly ids: Ids,
    /** Names this instance in the queues. */
    readonly instance: string,
  ) {
    const waiters = {
      any: () => this.#byLease.size > 0 && !this.#stopped,
      first: () => this.#first(),
      nudgeFirstIn: (waiter: Waiter, ms: number) => void this.#nudgeFirstIn(waiter, ms),
    };
    this.#keepalive = new Keepalive(waiters, primaries, this.#clocks, keys, clock, instance);
  }

  /** How many requests wait here. */
  get size(): number {
    let size = 0;
    for (const waiters of this.#byLease.values()) size += waiters.size;
    return size;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes a ticket, behind all who wait already. Throws `no_quorum` and `shutting_down`. */
  async enter(claim: Claim): Promise<Waiter> {
    this.#assertOpen();
    const askedMs = this.clock.monotonicMs();
    const answers = await this.primaries.ask(takeTicket(this.keys, claim));
    this.#assertOpen();
    this.#clocks.read(askedMs, answers);
    const { majority } = this.primaries;
    const proposals = values(answers);
    if (proposals.length < majority) throw this.primaries.noQuorum();
    const taken = proposals.filter((proposal) => proposal.taken);
    const ticket = Math.max(...(taken.length > 0 ? taken : proposals).map((proposal) => proposal.ticket));
    const waiter = new Waiter(claim, ticket, this.ids.nonce(), majority, this.clock);
    for (const name of claim.queues) this.#queue(name).add(waiter);
    const same = this.#byLease.get(claim.leaseId);
    if (same) same.add(waiter);
    else this.#byLease.set(claim.leaseId, new Set([waiter]));
    this.notifications.listen(
      (primary, notification) => this.#hear(primary, notification),
      () => {
        for (const first of this.#first()) first.nudge();
      },
    );
    this.#keepalive.start();
    return waiter;
  }

  /** Runs one attempt of a waiter; those of a woken crowd take turns. */
  attempt<T>(attempt: () => Promise<T>): Promise<T> {
    return this.#attempts.run(attempt);
  }

  /**
   * Waits after an attempt was refused, until another one is worthwhile; `hintMs`: in how many ms it is, if the waiter is
   * the first here then; at the latest until `deadlineMs`. Throws `shutting_down`.
   */
  async wait(
    waiter: Waiter,
    { deadlineMs, hintMs, signal }: { deadlineMs: number; hintMs: number; signal?: AbortSignal | undefined },
  ): Promise<WaitOutcome> {
    const { mode, queues } = waiter.claim;
    if (mode === "shared") for (const name of queues) this.#queues.get(name)?.readerRefused();
    const cancelHint = hintMs < POLL_MS ? this.#nudgeFirstIn(waiter, hintMs) : () => {};
    const outcome = await waiter.sleep(deadlineMs, signal);
    cancelHint();
    this.#assertOpen();
    return outcome;
  }

  /**
   * Removes the waiter from its queues, here and on the primaries. `granted`: it got the lease, which nobody can follow
   * yet. `keepMs`: how long its entries are kept for a client that may come back. Resolves with what the primaries say
   * of it; a primary that does not answer is told later.
   */
  async leave(
    waiter: Waiter,
    { granted, keepMs }: { granted: GrantedBy | null; keepMs: number },
  ): Promise<Answers<Left>> {
    const { claim } = waiter;
    const same = this.#remove(waiter, granted !== null);
    const leaving = (back: "all" | "none" | number) =>
      leaveQueue(this.keys, claim, waiter.nonce, {
        back,
        keepMs: same.length > 0 && !granted ? POLL_MS : keepMs,
        // One release may have been enough for several permits.
        notify: claim.limit !== null,
      });
    const call = leaving(granted ? "none" : "all");
    for (const other of same) other.nudge();
    // The client is answered first: nobody waits for these entries to go.
    if (granted) await new Promise<void>((resolve) => this.clock.soon(resolve));
    return Promise.all(
      this.primaries.all.map(async (primary, at) => {
        // An attempt may be sent once more, as text, and would enter the queue again.
        await waiter.answered(at);
        const answer = await answerOf(primary, call);
        // By then the lease may have been handed off again, after the release of another attempt: nobody would release it.
        const late = granted === "attempt" ? leaving(waiter.handoffNumber) : call;
        if (!answer.ok) primary.compensateLater(`leave/${claim.leaseId}/${waiter.nonce}`, late);
        return answer;
      }),
    );
  }

  /** Leaves without a grant. Resolves with what a majority say of the waiter; null: too few answered. */
  async giveUp(waiter: Waiter): Promise<Left[] | null> {
    const left = values(await this.leave(waiter, { granted: null, keepMs: 0 }));
    return left.length < this.primaries.majority ? null : left;
  }

  /** Whether anybody here waits for any of the names. */
  hasWaiters({ queues }: Claim): boolean {
    return queues.some((name) => this.#queues.has(name));
  }

  /** Whether nobody of this instance stands before the waiter: then it asks now and then without a notification. */
  isFirst(waiter: Waiter): boolean {
    return waiter.claim.queues.every(
      (name) => (this.#queues.get(name)?.first?.ticket ?? waiter.ticket) >= waiter.ticket,
    );
  }

  /** Sends every waiter away. */
  stop(): void {
    this.#stopped = true;
    for (const waiters of this.#byLease.values()) for (const waiter of waiters) waiter.nudge();
  }

  #assertOpen(): void {
    if (this.#stopped)
      throw new CoordinationError("shutting_down", "This instance is stopping. Use another.");
  }

  #queue(name: string): LocalQueue {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new LocalQueue();
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** Returns the other waiters for the same lease: a request and its repetition. */
  #remove(waiter: Waiter, granted: boolean): Waiter[] {
    const { leaseId, mode, queues } = waiter.claim;
    for (const name of queues) {
      const queue = this.#queue(name);
      queue.remove(waiter);
      if (granted && mode === "shared") queue.readerGranted(waiter);
      if (queue.size === 0) this.#queues.delete(name);
    }
    const same = this.#byLease.get(leaseId);
    same?.delete(waiter);
    if (same?.size === 0) this.#byLease.delete(leaseId);
    return [...(same ?? [])];
  }

  #hear(primary: number, notification: Notification): void {
    if (notification.kind === "readers") this.#hearOfReaders(primary, notification);
    else this.#hearOfLease(primary, notification);
  }

  #hearOfReaders(primary: number, { queueKey, before }: Extract<Notification, { kind: "readers" }>): void {
    const queue = this.#queues.get(this.keys.resourceOf(queueKey));
    const notifiers = queue?.notified(primary);
    // A reader that hurries to the other primaries would be there before the release.
    if (notifiers === this.primaries.majority) queue?.letReadersIn(before);
    else if (notifiers === 1) this.clock.after(STRAGGLER_MS, () => queue?.letReadersIn(before));
  }

  #hearOfLease(primary: number, { leaseId, handoff }: Extract<Notification, { kind: "lease" }>): void {
    const waiters = [...(this.#byLease.get(leaseId) ?? [])];
    if (!handoff) {
      for (const waiter of waiters) waiter.notified(primary);
      return;
    }
    const waiter = waiters.find(({ nonce }) => nonce === handoff.nonce);
    const sinceMs = this.#clocks.earliestMs(primary, handoff.serverMicros);
    // A replica passes on what its primary publishes: that is no vote of its own. And a clock that jumped does not tell
    // when. Then the waiter asks, which finds the hold and extends it.
    const isVote = handoff.configurationEpoch === this.primaries.all[primary]?.configurationEpoch;
    if (!isVote || sinceMs > this.clock.monotonicMs()) waiter?.notified(primary);
    else waiter?.handedOff(primary, handoff, sinceMs);
  }

  #nudgeFirstIn(waiter: Waiter, ms: number): () => void {
    const nudge = () => {
      if (this.isFirst(waiter)) waiter.nudge();
    };
    if (ms > 0) return this.clock.after(ms, nudge);
    nudge();
    return () => {};
  }

  #first(): Waiter[] {
    const first = new Set<Waiter>();
    for (const queue of this.#queues.values()) if (queue.first) first.add(queue.first);
    return [...first].filter((waiter) => waiter.claim.queues.length === 1 || this.isFirst(waiter));
  }
}

/**
 * Attempts of waiters at a time. 5,000 readers that may all enter would otherwise ask at once, and fill the primaries for
 * longer than the command timeout.
 */
const ATTEMPTS_AT_ONCE_MAX = 128;
