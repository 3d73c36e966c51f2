import type { Clock } from "../../clock.js";
import { shuttingDown } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { type Answers, answerOf, values } from "../../quorum/answers.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Notification, Notifications } from "../../redis/notifications.js";
import type { Keys } from "../../scripts/keys.js";
import type { Claim } from "../../scripts/lease-calls.js";
import { POLL_MS } from "../../scripts/liveness.js";
import { type Left, leaveQueue, type Ticket, takeTicket } from "../../scripts/queue-calls.js";
import { queueFull } from "../leases/lease-failures.js";
import type { LeaseObserver } from "../leases/lease-observer.js";
import { AttemptLimit } from "./attempt-limit.js";
import { Keepalive } from "./keepalive.js";
import { LocalQueues } from "./local-queues.js";
import { PrimaryClocks } from "./primary-clocks.js";
import { type Departure, STRAGGLER_MS, Waiter, type WaitOutcome } from "./waiter.js";

/** How a request got its lease: its last attempt was granted, or a majority of primaries handed it off afterwards. */
export type GrantedBy = "attempt" | "handoff";

/**
 * The waiters of this instance. The queues themselves are on the primaries; here each waiter sleeps until a primary
 * notifies it or hands the lease off to it, the holder's time is over, or, for the first of a queue, a check is due.
 */
export class WaitQueue {
  readonly #queues: LocalQueues;
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
    /** Identifies this instance in the queues. */
    readonly instance: string,
    private readonly settings: { readonly queueLengthMax: number },
    private readonly observer?: Pick<LeaseObserver, "joined" | "left">,
  ) {
    this.#queues = new LocalQueues(clock);
    this.#keepalive = new Keepalive(this.#queues, primaries, this.#clocks, keys, clock, instance);
  }

  /** How many requests wait here. */
  get size(): number {
    return this.#queues.size;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes a ticket, behind all requests that already wait. Throws `no_quorum`, `shutting_down` and `too_many`. */
  async enter(claim: Claim): Promise<Waiter> {
    this.#assertOpen();
    const askedMs = this.clock.monotonicMs();
    const { majority } = this.primaries;
    const answers = await this.primaries.decide(takeTicket(this.keys, claim), ({ answers, values }) =>
      values.length >= majority ? answers : undefined,
    );
    this.#assertOpen();
    this.#clocks.read(askedMs, answers);
    const proposals = values(answers);
    const taken = proposals.filter((proposal) => proposal.taken);
    if (taken.length === 0) this.#assertRoom(proposals);
    const ticket = Math.max(...(taken.length > 0 ? taken : proposals).map((proposal) => proposal.ticket));
    const waiter = new Waiter(claim, ticket, this.ids.nonce(), majority, this.clock);
    this.#queues.add(waiter);
    this.observer?.joined(waiter);
    this.notifications.listen(
      (primary, notification) =>
        notification.kind === "readers"
          ? this.#hearOfReaders(primary, notification)
          : this.#hearOfLease(primary, notification),
      () => this.#queues.nudgeFirst(),
    );
    this.#keepalive.start();
    return waiter;
  }

  /** Runs one attempt of a waiter; the number of concurrent attempts is limited. */
  attempt<T>(attempt: () => Promise<T>): Promise<T> {
    return this.#attempts.run(attempt);
  }

  /**
   * Waits after a refused attempt until another one is worthwhile, at the latest until `deadlineMs`. `hintMs`: in how
   * many ms it is worthwhile if the waiter is then the first here. Throws `shutting_down`.
   */
  async wait(
    waiter: Waiter,
    { deadlineMs, hintMs, signal }: { deadlineMs: number; hintMs: number; signal?: Departure | undefined },
  ): Promise<WaitOutcome> {
    const { mode, queues } = waiter.claim;
    if (mode === "shared") for (const name of queues) this.#queues.queue(name)?.readerRefused();
    const cancelHint = hintMs < POLL_MS ? this.#queues.nudgeFirstIn(waiter, hintMs) : () => {};
    const outcome = await waiter.sleep(deadlineMs, signal);
    cancelHint();
    this.#assertOpen();
    return outcome;
  }

  /**
   * Removes the waiter from its queues, here and on the primaries. `granted`: how it got the lease, which nobody can
   * follow yet. `keepMs`: how long its entries are kept for a client that may come back. Resolves with the primaries'
   * replies about the waiter; a primary that does not answer is notified later.
   */
  async leave(
    waiter: Waiter,
    { granted, keepMs }: { granted: GrantedBy | null; keepMs: number },
  ): Promise<Answers<Left>> {
    const { claim } = waiter;
    this.#queues.remove(waiter, granted !== null);
    this.observer?.left(waiter, granted !== null);
    const same = this.#queues.ofLease(claim.leaseId);
    const leaving = (back: "all" | "none" | number) =>
      leaveQueue(this.keys, claim, waiter.nonce, {
        back,
        keepMs: same.length > 0 && !granted ? POLL_MS : keepMs,
        // One release may have freed enough for several permits.
        notify: claim.limit !== null,
      });
    const call = leaving(granted ? "none" : "all");
    for (const other of same) other.nudge();
    // The client is answered first: nobody waits for the removal of these entries.
    if (granted) await new Promise<void>((resolve) => this.clock.soon(resolve));
    return Promise.all(
      this.primaries.all.map(async (primary, at) => {
        // An attempt may be sent once more, as text, and would enter the queue again.
        await waiter.answered(at);
        const answer = await answerOf(primary, call);
        // By then the lease may have been handed off again, after the release of another attempt: nobody would release
        // it.
        const late = granted === "attempt" ? leaving(waiter.handoffNumber) : call;
        if (!answer.ok) primary.compensateLater(`leave/${claim.leaseId}/${waiter.nonce}`, late);
        return answer;
      }),
    );
  }

  /** Leaves without a grant. Resolves with the replies of at least a majority about the waiter; null: too few answered. */
  async giveUp(waiter: Waiter): Promise<Left[] | null> {
    const left = values(await this.leave(waiter, { granted: null, keepMs: 0 }));
    return left.length < this.primaries.majority ? null : left;
  }

  /** Whether any request here waits for any of the names. */
  hasWaiters(claim: Claim): boolean {
    return this.#queues.hasWaiters(claim);
  }

  /** Whether no waiter of this instance is before it: then it makes an attempt now and then without a notification. */
  isFirst(waiter: Waiter): boolean {
    return this.#queues.isFirst(waiter);
  }

  /** Ends the wait of every waiter. */
  stop(): void {
    this.#stopped = true;
    this.#keepalive.stop();
    this.#queues.nudgeAll();
  }

  #assertOpen(): void {
    if (this.#stopped) throw shuttingDown();
  }

  /** A queue is full if it is at every primary that answered: some may still have entries that are dead elsewhere. */
  #assertRoom(proposals: readonly Ticket[]): void {
    const length = Math.min(...proposals.map(({ queueLength }) => queueLength));
    if (length >= this.settings.queueLengthMax) throw queueFull(length);
  }

  #hearOfReaders(primary: number, { queueKey, before }: Extract<Notification, { kind: "readers" }>): void {
    const queue = this.#queues.queue(this.keys.resourceOf(queueKey));
    const notifiers = queue?.notified(primary);
    // A reader that hurried to the other primaries would arrive there before the release.
    if (notifiers === this.primaries.majority) queue?.letReadersIn(before);
    else if (notifiers === 1) this.clock.after(STRAGGLER_MS, () => queue?.letReadersIn(before));
  }

  #hearOfLease(primary: number, { leaseId, handoff }: Extract<Notification, { kind: "lease" }>): void {
    const waiters = this.#queues.ofLease(leaseId);
    if (!handoff) {
      for (const waiter of waiters) waiter.notified(primary);
      return;
    }
    const waiter = waiters.find(({ nonce }) => nonce === handoff.nonce);
    const sinceMs = this.#clocks.earliestMs(primary, handoff.serverMicros);
    // A replica relays what its primary publishes: that is no vote of its own. And a clock that jumped cannot date the
    // grant. In both cases the waiter makes an attempt, which finds the hold and extends it.
    const isVote = handoff.configurationEpoch === this.primaries.all[primary]?.configurationEpoch;
    if (!isVote || sinceMs > this.clock.monotonicMs()) waiter?.notified(primary);
    else waiter?.handedOff(primary, handoff, sinceMs);
  }
}

/**
 * Maximum number of concurrent attempts of waiters. Otherwise 5,000 readers that may all enter would ask at once, and
 * keep the primaries busy for longer than the command timeout.
 */
const ATTEMPTS_AT_ONCE_MAX = 128;
