import { fullJitterMs } from "../../algorithms/backoff.js";
import { mostReported } from "../../algorithms/holds.js";
import { validForMs } from "../../algorithms/validity.js";
import type { AcquireOutcome } from "../../quorum/acquire-votes.js";
import type { AcquireTerms } from "../../scripts/lease-calls.js";
import type { GrantedBy } from "../queue/wait-queue.js";
import type { Waiter } from "../queue/waiter.js";
import { limitMismatch, mismatch, quarantined, tooSlow, usedUp } from "./lease-failures.js";
import { type Held, type LeaseRequest, type Outcome, toHolder, type Wanted } from "./lease-terms.js";
import type { Leases } from "./leases.js";

/** One request for a lease: attempt after attempt, as a waiter in the queues of its names once it has to wait. */
export class Acquisition {
  readonly #askedMs: number;
  readonly #deadlineMs: number;
  #attempts = 0;
  #queues: readonly string[] = [];
  #waiter: Waiter | null = null;
  #granted: GrantedBy | null = null;
  #disconnected = false;

  constructor(
    private readonly leaseId: string,
    private readonly request: LeaseRequest & { readonly metadata: string },
    /** Called anew for each attempt. */
    private readonly want: (leaseId: string) => Wanted | Promise<Wanted>,
    private readonly leases: Pick<
      Leases,
      "votes" | "waitQueue" | "primaries" | "clock" | "random" | "observer"
    >,
  ) {
    this.#askedMs = leases.clock.monotonicMs() - (request.inFlight?.queuedMs ?? 0);
    this.#deadlineMs = this.#askedMs + (request.waitMs ?? 0);
  }

  /** Resolves with the outcome. However it ends, the request leaves its queues. */
  async run(): Promise<Outcome> {
    try {
      for (;;) {
        const outcome = await this.#attempt();
        if (!outcome) continue;
        this.leases.observer?.answered(this.#queues, outcome.kind === "held" ? "held" : "granted");
        return outcome;
      }
    } finally {
      // A client that chose its leaseId may come back for its queue entry: at another instance when this one stops.
      const { waitQueue } = this.leases;
      const mayComeBack = this.#chosen && (this.#disconnected || waitQueue.stopped);
      const keepMs = mayComeBack ? COME_BACK_MS : 0;
      if (this.#waiter) void waitQueue.leave(this.#waiter, { granted: this.#granted, keepMs });
    }
  }

  get #chosen(): boolean {
    return this.request.leaseId !== undefined;
  }

  /** Null: another attempt follows. */
  async #attempt(): Promise<Outcome | null> {
    const { votes, waitQueue, clock } = this.leases;
    const claim = { ...(await this.want(this.leaseId)), leaseId: this.leaseId };
    this.#queues = claim.queues;
    // Behind others that wait here already the attempt would be refused, so the request joins the queue at once.
    if (!this.#waiter && this.request.waitMs && waitQueue.hasWaiters(claim))
      this.#waiter = await waitQueue.enter(claim);
    const startedMs = clock.monotonicMs();
    const ask = () => votes.acquire(claim, this.#terms(), this.#waiter);
    const outcome = await (this.#waiter ? waitQueue.attempt(ask) : ask());
    if (outcome.kind === "granted") return this.#accept("attempt", claim, startedMs, outcome);
    const refused = asRefused(outcome);
    const certain = refused.certain && !claim.hasAlternatives;
    const retries = claim.hasAlternatives ? ALTERNATIVES_RETRIES : SPLIT_RETRIES;
    if (!certain && !this.request.waitMs && this.#attempts < retries) {
      if (this.request.signal?.aborted) return refused;
      // The votes split between simultaneous requests; perhaps none of them won.
      await clock.sleep(this.#jitterMs(this.#attempts++));
      return null;
    }
    if (clock.monotonicMs() >= this.#deadlineMs) {
      if (outcome.kind === "quarantined") throw quarantined(outcome);
      return refused;
    }
    if (!this.#waiter) {
      this.#waiter = await waitQueue.enter(claim);
      return null;
    }
    const hintMs = certain ? refused.retryAfterMs + 1 : this.#jitterMs(SPLIT_RETRIES);
    return this.#wait(this.#waiter, hintMs, claim, refused);
  }

  async #wait(waiter: Waiter, hintMs: number, claim: Asked, refused: Held): Promise<Outcome | null> {
    const { votes, clock, waitQueue } = this.leases;
    const { inFlight, signal } = this.request;
    inFlight?.pause();
    const waited = await waitQueue.wait(waiter, { deadlineMs: this.#deadlineMs, hintMs, signal });
    this.#disconnected = waited === "disconnected";
    if (this.#disconnected) return refused;
    // Behind others, an attempt would only be refused again; the first waiter of a queue makes a last attempt.
    if (waited === "timed_out" && !waitQueue.isFirst(waiter)) return this.#giveUp(waiter);
    const won = waited === "handoff" ? votes.judgeHandoff(waiter.votes) : null;
    // The handoff arrived so late that none of its time is left: the next attempt extends it.
    if (!won || validForMs(this.request.ttlMs, clock.monotonicMs() - won.sinceMs) <= 0) {
      await inFlight?.resume();
      return null;
    }
    return this.#accept("handoff", claim, Math.max(this.#askedMs, won.sinceMs), won);
  }

  /**
   * Leaves the queues and learns from the primaries which hold is in the way. Null: too few answered, so an attempt
   * follows.
   */
  async #giveUp(waiter: Waiter): Promise<Outcome | null> {
    const { waitQueue } = this.leases;
    this.#waiter = null;
    const left = await waitQueue.giveUp(waiter);
    if (!left) return null;
    const holds = left.flatMap(({ hold }) => hold ?? []);
    const ahead = Math.max(...left.map((one) => one.ahead));
    return asRefused({ kind: "held", hold: mostReported(holds)?.hold ?? null, certain: true, ahead });
  }

  /** `startedMs`: the earliest moment at which its time to live began. */
  async #accept(
    by: GrantedBy,
    claim: Asked,
    startedMs: number,
    { token, acks }: { readonly token: number; readonly acks: number },
  ): Promise<Outcome> {
    const { votes, clock, primaries } = this.leases;
    const { ttlMs, owner = null, signal } = this.request;
    const validMs = validForMs(ttlMs, clock.monotonicMs() - startedMs);
    // A client that disconnected cannot use a lease that it was never told of.
    if (validMs <= 0 || (signal?.aborted === true && !this.#chosen)) {
      // If the client chose the leaseId, another of its requests may have been granted the lease meanwhile.
      if (!this.#chosen) await votes.release(claim, false);
      throw tooSlow(ttlMs);
    }
    this.#granted = by;
    this.leases.observer?.holds(claim.queues, this.leaseId, ttlMs);
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
    return { kind: "acquired", grant, wanted: claim };
  }

  #terms(): AcquireTerms {
    const { waitQueue, clock } = this.leases;
    const { ttlMs, owner = "", metadata } = this.request;
    const terms = { ttlMs, owner, metadata, chosen: this.#chosen };
    if (!this.#waiter) return { ...terms, queueEntry: null };
    const { ticket, acceptsHandoff } = this.#waiter;
    const keptMs = Math.ceil(Math.max(0, this.#deadlineMs - clock.monotonicMs())) + KEPT_MS;
    return { ...terms, queueEntry: { ticket, instance: waitQueue.instance, keptMs, acceptsHandoff } };
  }

  #jitterMs(attempt: number): number {
    return fullJitterMs(attempt, SPLIT_DELAY_MS, SPLIT_DELAY_MS_MAX, this.leases.random());
  }
}

/** What it asks for under its own id. */
type Asked = Wanted & { readonly leaseId: string };

/** Throws if another attempt would change nothing. */
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
/** For a request that does not wait: nobody can tell when it could be granted. */
const QUEUED_RETRY_MS = 1_000;
/** How long queue entries are kept beyond the time to wait, in case a message is late. */
const KEPT_MS = 2_000;
const COME_BACK_MS = 3_000;
