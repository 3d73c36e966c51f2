import { fullJitterMs } from "../../algorithms/backoff.js";
import { mostReported } from "../../algorithms/holds.js";
import { validForMs } from "../../algorithms/validity.js";
import type { Clock, Random } from "../../clock.js";
import type { AcquireOutcome } from "../../quorum/acquire-votes.js";
import { values } from "../../quorum/answers.js";
import type { LeaseVotes } from "../../quorum/lease-votes.js";
import type { AcquireTerms, Claim } from "../../scripts/lease-calls.js";
import type { Granted, QueueEntry } from "../queue/queue-entry.js";
import type { WaitQueue } from "../queue/wait-queue.js";
import { limitMismatch, mismatch, quarantined, tooSlow, usedUp } from "./lease-failures.js";
import { type Held, type LeaseRequest, type Outcome, toHolder, type Wanted } from "./lease-terms.js";

/** What an acquisition needs of the service. */
export interface AcquisitionDependencies {
  readonly votes: LeaseVotes;
  readonly waitQueue: WaitQueue;
  readonly primaries: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** One request for a lease on its way: attempt by attempt, with its place in line once it has to wait. */
export class Acquisition {
  readonly #askedMs: number;
  readonly #deadlineMs: number;
  #attempts = 0;
  #entry: QueueEntry | null = null;
  #granted: Granted | null = null;
  #disconnected = false;

  constructor(
    private readonly leaseId: string,
    private readonly request: LeaseRequest & { readonly metadata: string },
    /** Asked for each attempt anew. */
    private readonly want: (leaseId: string) => Wanted | Promise<Wanted>,
    private readonly dependencies: AcquisitionDependencies,
  ) {
    this.#askedMs = dependencies.clock.monotonicMs() - (request.inFlight?.queuedMs ?? 0);
    this.#deadlineMs = this.#askedMs + (request.waitMs ?? 0);
  }

  /** Ends with what came of it; its place in line is given up however it ends. */
  async run(): Promise<Outcome> {
    try {
      for (;;) {
        const outcome = await this.#attempt();
        if (outcome) return outcome;
      }
    } finally {
      // One that chose its id may come back with it for its place: to another instance, where this one stops.
      const keepMs =
        (this.#disconnected || this.dependencies.waitQueue.stopped) && this.#chosen ? COME_BACK_MS : 0;
      if (this.#entry)
        void this.dependencies.waitQueue.leave(this.#entry, { granted: this.#granted, keepMs });
    }
  }

  get #chosen(): boolean {
    return this.request.leaseId !== undefined;
  }

  /** Null: it is to be tried again. */
  async #attempt(): Promise<Outcome | null> {
    const { votes, waitQueue, clock } = this.dependencies;
    const wanted = await this.want(this.leaseId);
    const claim = { ...wanted, leaseId: this.leaseId };
    // Where others wait here already it would be refused: it stands behind them at once.
    if (!this.#entry && this.request.waitMs && waitQueue.hasWaiters(claim))
      this.#entry = await waitQueue.enter(claim);
    const startedMs = clock.monotonicMs();
    const ask = () => votes.acquire(claim, this.#terms(), this.#entry);
    const outcome = await (this.#entry ? waitQueue.ask(ask) : ask());
    if (outcome.kind === "granted") return this.#accept("asked", claim, wanted, startedMs, outcome);
    const refused = asRefused(outcome);
    const certain = refused.certain && !wanted.hasAlternatives;
    const retries = wanted.hasAlternatives ? ALTERNATIVES_RETRIES : SPLIT_RETRIES;
    if (!certain && !this.request.waitMs && this.#attempts < retries) {
      if (this.request.signal?.aborted) return refused;
      // The votes split between several who asked at once; none of them may have won.
      await clock.sleep(this.#jitterMs(this.#attempts++));
      return null;
    }
    if (clock.monotonicMs() >= this.#deadlineMs) {
      if (outcome.kind === "quarantined") throw quarantined(outcome);
      return refused;
    }
    if (!this.#entry) {
      this.#entry = await waitQueue.enter(claim);
      return null;
    }
    const hintMs = certain ? refused.retryAfterMs + 1 : this.#jitterMs(SPLIT_RETRIES);
    return this.#wait(this.#entry, hintMs, claim, wanted, refused);
  }

  async #wait(
    entry: QueueEntry,
    hintMs: number,
    claim: Claim,
    wanted: Wanted,
    refused: Held,
  ): Promise<Outcome | null> {
    const { votes, clock, waitQueue } = this.dependencies;
    const { inFlight, signal } = this.request;
    inFlight?.pause();
    const waited = await entry.wait(this.#deadlineMs, hintMs, signal);
    this.#disconnected = waited === "gone";
    if (this.#disconnected) return refused;
    // Of one that others stand before nothing new is to be expected; the first asks once more.
    if (waited === "late" && !waitQueue.isFirst(entry)) return this.#giveUp(entry);
    const won = waited === "handed" ? votes.judgeHandoff(entry.votes) : null;
    // Of what was heard so late that nothing is left the next attempt makes something.
    if (!won || validForMs(this.request.ttlMs, clock.monotonicMs() - won.sinceMs) <= 0) {
      await inFlight?.resume();
      return null;
    }
    return this.#accept("handed", claim, wanted, Math.max(this.#askedMs, won.sinceMs), won);
  }

  /** Leaves the line, and is told on its way out what is in the way. Null where too few told: then it has to ask. */
  async #giveUp(entry: QueueEntry): Promise<Outcome | null> {
    const { waitQueue } = this.dependencies;
    this.#entry = null;
    const left = values(await waitQueue.leave(entry, { granted: null, keepMs: 0 }));
    if (left.length < waitQueue.majority) return null;
    const holds = left.flatMap(({ hold }) => hold ?? []);
    const ahead = Math.max(...left.map((one) => one.ahead));
    return asRefused({ kind: "held", hold: mostReported(holds)?.hold ?? null, certain: true, ahead });
  }

  /** `startedMs`: from when on its time to live may have run. */
  async #accept(
    how: Granted,
    claim: Claim,
    wanted: Wanted,
    startedMs: number,
    { token, acks }: { readonly token: number; readonly acks: number },
  ): Promise<Outcome> {
    const { votes, clock, primaries } = this.dependencies;
    const { ttlMs, owner = null, signal } = this.request;
    const validMs = validForMs(ttlMs, clock.monotonicMs() - startedMs);
    // Who has gone cannot hold what it was never told of.
    if (validMs <= 0 || (signal?.aborted === true && !this.#chosen)) {
      // By its own id another request may have been granted it meanwhile. What this one has ends as soon as it was slow.
      if (!this.#chosen) await votes.release(claim, false);
      throw tooSlow(ttlMs);
    }
    this.#granted = how;
    const grant = {
      leaseId: this.leaseId,
      owner,
      fencingToken: token,
      ttlMs,
      validForMs: validMs,
      waitedMs: Math.floor(startedMs - this.#askedMs),
      acks,
      primaries,
    };
    return { kind: "acquired", grant, wanted };
  }

  #terms(): AcquireTerms {
    const { ttlMs, owner = "", metadata } = this.request;
    return { ttlMs, owner, metadata, chosen: this.#chosen, queueEntry: this.#queueTerms() };
  }

  #queueTerms(): AcquireTerms["queueEntry"] {
    const { waitQueue, clock } = this.dependencies;
    if (!this.#entry) return null;
    const { ticket, acceptsHandoff } = this.#entry;
    const keptMs = Math.ceil(Math.max(0, this.#deadlineMs - clock.monotonicMs())) + KEPT_MS;
    return { ticket, instance: waitQueue.instance, keptMs, acceptsHandoff };
  }

  #jitterMs(attempt: number): number {
    return fullJitterMs(attempt, SPLIT_DELAY_MS, SPLIT_DELAY_MS_MAX, this.dependencies.random());
  }
}

/** Throws where asking again changes nothing. */
function asRefused(outcome: Exclude<AcquireOutcome, { kind: "granted" }>): Held & { certain: boolean } {
  switch (outcome.kind) {
    case "gone":
      throw usedUp();
    case "other":
      throw mismatch();
    case "limit":
      throw limitMismatch(outcome.limit);
    case "quarantined":
      return { kind: "held", holder: null, retryAfterMs: outcome.forMs, queuePosition: 1, certain: true };
    case "held": {
      const holder = outcome.hold && toHolder(outcome.hold);
      return {
        kind: "held",
        holder,
        retryAfterMs: holder
          ? Math.max(1, holder.expiresInMs)
          : outcome.certain
            ? QUEUED_RETRY_MS
            : SPLIT_DELAY_MS_MAX,
        queuePosition: outcome.ahead + 1,
        certain: outcome.certain,
      };
    }
  }
}

const SPLIT_RETRIES = 6;
const ALTERNATIVES_RETRIES = 20;
const SPLIT_DELAY_MS = 4;
const SPLIT_DELAY_MS_MAX = 40;
/** Nobody can tell when it is the turn of one that does not wait. */
const QUEUED_RETRY_MS = 1_000;
/** What a place in line is kept for beyond the time to wait, should a message be late. */
const KEPT_MS = 2_000;
const COME_BACK_MS = 3_000;
