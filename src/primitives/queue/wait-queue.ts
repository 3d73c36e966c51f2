import { type ClockReading, earliestMs } from "../../algorithms/validity.js";
import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { type Answers, answerOf, values } from "../../quorum/answers.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Notification, Notifications } from "../../redis/notifications.js";
import type { Keys } from "../../scripts/keys.js";
import type { Claim } from "../../scripts/lease-calls.js";
import { keepWaiting, type Left, leaveQueue, takeTicket } from "../../scripts/queue-calls.js";
import { LocalQueue } from "./local-queue.js";
import { type Granted, POLL_MS, QueueEntry, STRAGGLER_MS, type WaitQueueView } from "./queue-entry.js";

/**
 * Those who wait at this instance. The lines themselves are on the primaries; here everybody sleeps until a primary
 * says that it is their turn, or that it has granted them what they want; or the holder's time is over; or a second has
 * passed for who is first.
 */
export class WaitQueue implements WaitQueueView {
  readonly #queues = new Map<string, LocalQueue>();
  readonly #byLease = new Map<string, Set<QueueEntry>>();
  /** The clock of each primary, as it was read last. */
  readonly #clocks: (ClockReading | undefined)[] = [];
  #asking = 0;
  readonly #toAsk: (() => void)[] = [];
  #stopped = false;
  #ticking = false;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly notifications: Notifications,
    private readonly ids: Ids,
    /** Names this instance in the lines. */
    readonly instance: string,
  ) {}

  /** Takes a ticket, behind all who wait already. Throws `no_quorum` and `shutting_down`. */
  async enter(claim: Claim): Promise<QueueEntry> {
    this.#assertOpen();
    const askedMs = this.clock.monotonicMs();
    const answers = await this.primaries.decide(takeTicket(this.keys, claim), (heard) =>
      heard.values.length >= this.majority ? heard.answers : undefined,
    );
    this.#assertOpen();
    this.#readClocks(askedMs, answers);
    const proposals = values(answers);
    const taken = proposals.filter((proposal) => proposal.taken);
    const ticket = Math.max(...(taken.length > 0 ? taken : proposals).map((proposal) => proposal.ticket));
    const entry = new QueueEntry(claim, ticket, this.ids.nonce(), this);
    for (const queue of claim.queues) this.#queue(queue).add(entry);
    add(this.#byLease, claim.leaseId, entry);
    this.notifications.listen(
      (primary, notification) => this.#hear(primary, notification),
      () => this.#nudgeFirst(),
    );
    if (!this.#ticking) void this.#tick();
    return entry;
  }

  /**
   * Gives the place up. `granted`: for good, and nobody can follow yet. `keepMs`: it is kept for a client that may come
   * back. What the primaries knew of it; one that does not hear it now is told later.
   */
  async leave(
    entry: QueueEntry,
    { granted, keepMs }: { granted: Granted | null; keepMs: number },
  ): Promise<Answers<Left>> {
    const { claim } = entry;
    for (const name of claim.queues) {
      const queue = this.#queue(name);
      queue.remove(entry);
      if (granted && claim.mode === "shared") queue.readerGranted(entry);
      if (queue.size === 0) this.#queues.delete(name);
    }
    remove(this.#byLease, claim.leaseId, entry);
    // The same lease may be waited for by two requests, one a repetition of the other.
    const same = this.#byLease.get(claim.leaseId);
    const leaving = (back: "all" | "none" | number) =>
      leaveQueue(this.keys, claim, entry.nonce, {
        back,
        keepMs: same && !granted ? POLL_MS : keepMs,
        // One release may have been enough for several permits.
        notify: claim.limit !== null,
      });
    const call = leaving(granted ? "none" : "all");
    for (const other of same ?? []) other.nudge();
    // Who was granted is told so first: nobody waits for its place.
    if (granted) await new Promise<void>((resolve) => this.clock.soon(resolve));
    return Promise.all(
      this.primaries.all.map(async (primary, at) => {
        // An attempt may be sent once more, as text, and would stand in line again.
        await entry.answered(at);
        const answer = await answerOf(primary, call);
        // By then it may have been handed on behind the release of what others had granted: nobody would release it again.
        const late = granted === "asked" ? leaving(entry.offered) : call;
        if (!answer.ok) primary.compensateLater(`leave/${claim.leaseId}/${entry.nonce}`, late);
        return answer;
      }),
    );
  }

  /** Runs one more attempt of a request that waits, in its turn: a crowd that was woken must not ask all at once. */
  async ask<T>(attempt: () => Promise<T>): Promise<T> {
    if (this.#asking >= ASKING_MAX) await new Promise<void>((resolve) => this.#toAsk.push(resolve));
    else this.#asking += 1;
    try {
      return await attempt();
    } finally {
      const next = this.#toAsk.shift();
      if (next) next();
      else this.#asking -= 1;
    }
  }

  /** Whether anybody here waits for any of what is wanted. */
  hasWaiters({ queues }: Claim): boolean {
    return queues.some((queue) => this.#queues.has(queue));
  }

  /** Its attempt was refused, and it waits from now on. */
  refused({ claim }: QueueEntry): void {
    if (claim.mode === "shared") for (const queue of claim.queues) this.#queues.get(queue)?.readerRefused();
  }

  /** Whether nobody at this instance stands before it: then it is the one that asks again and again. */
  isFirst(entry: QueueEntry): boolean {
    return entry.claim.queues.every(
      (queue) => (this.#queues.get(queue)?.first?.ticket ?? entry.ticket) >= entry.ticket,
    );
  }

  /** How many requests wait here. */
  get size(): number {
    let size = 0;
    for (const entries of this.#byLease.values()) size += entries.size;
    return size;
  }

  get majority(): number {
    return this.primaries.majority;
  }

  after(ms: number, task: () => void): () => void {
    return this.clock.after(ms, task);
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Everybody here is sent away. */
  stop(): void {
    this.#stopped = true;
    for (const entries of this.#byLease.values()) for (const entry of entries) entry.nudge();
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

  #hear(primary: number, notification: Notification): void {
    if (notification.kind === "readers") this.#hearOfReaders(primary, notification);
    else this.#hearOfLease(primary, notification);
  }

  /** As with one that is called by its leaseId, those who hurry to the other primaries would be there before the release. */
  #hearOfReaders(primary: number, { queueKey, before }: Extract<Notification, { kind: "readers" }>): void {
    const queue = this.#queues.get(this.keys.resourceOf(queueKey));
    const notifiers = queue?.notified(primary);
    if (notifiers === this.majority) queue?.letReadersIn(before);
    else if (notifiers === 1) this.clock.after(STRAGGLER_MS, () => queue?.letReadersIn(before));
  }

  #hearOfLease(primary: number, { leaseId, handoff }: Extract<Notification, { kind: "lease" }>): void {
    const entries = [...(this.#byLease.get(leaseId) ?? [])];
    if (!handoff) {
      for (const entry of entries) entry.notified(primary);
      return;
    }
    const entry = entries.find(({ nonce }) => nonce === handoff.nonce);
    const clock = this.#clocks[primary];
    const sinceMs = clock ? earliestMs(clock, handoff.serverMicros) : Number.POSITIVE_INFINITY;
    // What one says for another, as its replica does, is no vote; and a clock that has jumped tells nothing about when.
    // Then it has to ask, which finds the hold and extends it.
    const isVote = handoff.configurationEpoch === this.primaries.all[primary]?.configurationEpoch;
    if (!isVote || sinceMs > this.clock.monotonicMs()) entry?.notified(primary);
    else entry?.handedOff(primary, handoff, sinceMs);
  }

  /** As long as somebody waits: says that this instance lives, and looks after the first ones. */
  async #tick(): Promise<void> {
    this.#ticking = true;
    for (let tick = 1; this.#byLease.size > 0 && !this.#stopped; tick++) {
      await this.clock.sleep(TICK_MS);
      if (this.#byLease.size === 0) break;
      const first = tick % TICKS_PER_POLL === 0 ? this.#first() : [];
      const asking = first.filter(({ acceptsHandoff }) => acceptsHandoff);
      // At least one call: that this instance lives is said even where nobody is looked after.
      for (let at = 0; at === 0 || at < asking.length; at += LOOKS)
        void this.#checkFirst(asking.slice(at, at + LOOKS));
      // What these wait for a primary cannot tell in a word.
      for (const entry of first) if (!entry.acceptsHandoff) entry.nudge();
    }
    this.#ticking = false;
  }

  /** Lets those ask again of whom a majority say that it is worth it, or that it will be before the next look. */
  async #checkFirst(entries: readonly QueueEntry[]): Promise<void> {
    const waiting = entries.map(({ claim: { leaseId, resources } }) => ({
      leaseId,
      resource: resources[0] as string,
    }));
    const call = keepWaiting(this.keys, this.instance, ALIVE_MS, waiting);
    const askedMs = this.clock.monotonicMs();
    const answers = await this.primaries.decide(call, (heard) =>
      heard.pending === 0 ? heard.answers : undefined,
    );
    this.#readClocks(askedMs, answers);
    const seen = values(answers);
    entries.forEach((entry, at) => {
      const endsInMs = seen.map((one) => one.endsInMs[at] as number).sort((one, other) => one - other);
      // Where a majority say nothing it finds out that there is no quorum.
      const majorityMs = endsInMs[this.majority - 1] ?? 0;
      if (majorityMs <= 0) {
        if (this.isFirst(entry)) entry.nudge();
      } else if (majorityMs < POLL_MS) entry.nudgeIn(majorityMs + 1);
    });
  }

  #readClocks(askedMs: number, answers: Answers<{ readonly serverMicros: number }>): void {
    answers.forEach((answer, primary) => {
      if (answer?.ok) this.#clocks[primary] = { askedMs, serverMicros: answer.value.serverMicros };
    });
  }

  #nudgeFirst(): void {
    for (const entry of this.#first()) entry.nudge();
  }

  /** Those before whom nobody here stands in any of their lines. */
  #first(): QueueEntry[] {
    const first = new Set<QueueEntry>();
    for (const queue of this.#queues.values()) if (queue.first) first.add(queue.first);
    return [...first].filter((entry) => entry.claim.queues.length === 1 || this.isFirst(entry));
  }
}

function add<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const values = map.get(key);
  if (values) values.add(value);
  else map.set(key, new Set([value]));
}

function remove<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const values = map.get(key);
  values?.delete(value);
  if (values?.size === 0) map.delete(key);
}

/** With these, a place whose instance died is given up, and the next one let in, within two seconds. */
const TICKS_PER_POLL = 2;
const TICK_MS = POLL_MS / TICKS_PER_POLL;
/** Places of an instance that was not heard of for so long are given up. As in leases.lua. */
const ALIVE_MS = 1_200;
/** Lines that a primary looks at in one script: some tenths of a millisecond. */
const LOOKS = 100;
/**
 * Attempts of requests that wait, at a time. 5,000 readers that may all enter would else ask at once, and fill the primaries
 * for longer than the command timeout.
 */
const ASKING_MAX = 128;
