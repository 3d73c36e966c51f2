import { createHash } from "node:crypto";
import Redlock, { Lock } from "redlock";
import { exactMajority, raisedMajority, sharedMajority, type Verdict } from "../algorithms/tally.js";
import type { Ids } from "../ids.js";
import type { Primary } from "../redis/primary.js";
import type { Keys } from "../scripts/keys.js";
import {
  type AcquireTerms,
  type AcquireVote,
  type Attempt,
  abandonAttempt,
  acquireLease,
  type Claim,
  type Hold,
  inspectName,
  type LeaseRenewal,
  proclaim,
  type Renewal,
  type RenewVote,
  raiseCounters,
  releaseLease,
  renewLease,
  repairLease,
  type Waiter,
} from "../scripts/lease-calls.js";
import { agreeing, heldOn, type Lost, mostNamed, whyLost } from "./hold-votes.js";
import { Operation } from "./operation.js";
import { type Answers, answerOf, type Primaries, values } from "./primaries.js";
import { holdersOn } from "./scan.js";

export type AcquireOutcome =
  | { readonly kind: "granted"; readonly token: number; readonly acks: number }
  | Refused
  /** The leaseId was released before, or its request given up: an id is used for one lease. */
  | { readonly kind: "gone" }
  /** The leaseId is for something else. */
  | { readonly kind: "other" }
  /** The semaphore has another limit. */
  | { readonly kind: "limit"; readonly limit: number }
  /** Too many primaries came back without their data to grant a lease before those that they forgot have ended. */
  | { readonly kind: "quarantined"; readonly primaries: number; readonly forMs: number };

/** Another lease has it, or comes first: on a majority (`certain`), or the votes split. */
export interface Refused {
  readonly kind: "held";
  /** The one that has it on the most primaries; null where it is nobody's but others come first. */
  readonly hold: Hold | null;
  readonly certain: boolean;
  /** How many wait before it. */
  readonly ahead: number;
}

/** The attempts of one request. */
export interface Attempts {
  /** The next one: those before it are over. */
  begin(): Pick<Attempt, "nonce" | "attemptNumber">;
  /** It was decided; what still asks a primary, a promise each, may go on. */
  decided(voting: readonly Promise<unknown>[]): void;
}

export type RenewOutcome =
  | ({ readonly kind: "renewed"; readonly token: number; readonly acks: number } & Renewal)
  | Lost
  /** The lease has other names as well, or fewer. */
  | { readonly kind: "other" };

/** What is known of a name when a majority was asked. */
export interface Inspection {
  /** The holds that a majority name, one writer or readers, with their token where it is exact on a majority. */
  readonly holds: readonly (Hold & { readonly token: number | null })[];
  /** Whether a majority say that nobody holds it. */
  readonly free: boolean;
  /** No token above this one has been given out. */
  readonly highest: number;
  /** How many wait, and the first of them in their order. */
  readonly waiting: number;
  readonly queue: readonly Waiter[];
}

/**
 * Leases by Redlock with exact-majority tokens. `redlock` does the voting and the clean-up; its clients are adapters,
 * one a primary, that run our scripts in place of its own. Each operation gets an id, passed through redlock as the
 * name of the resource, by which the adapters find the operation's scripts and note the answers.
 */
export class LeaseVotes {
  readonly #redlock: Redlock;
  readonly #operations = new Map<string, Operation<unknown, unknown>>();
  #lastOperation = 0;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly ids: Ids,
    private readonly settings: { readonly ttlMaxMs: number },
    /** Told of each grant how many round trips it took; more than one where the counters differed. */
    private readonly onGrant: (rounds: number) => void = () => {},
    /** The rule by which votes make a token; tests put wrong ones in its place. */
    private readonly tally: typeof exactMajority = exactMajority,
  ) {
    const adapters = primaries.all.map((primary, index) => this.#adapter(primary, index));
    // redlock's retries, drift and clock are not used: waiting and validity are the primitives'.
    this.#redlock = new Redlock(
      adapters as unknown as ConstructorParameters<typeof Redlock>[0],
      { retryCount: 0, driftFactor: 0 },
      { acquireScript: () => "acquire", extendScript: () => "extend", releaseScript: () => "release" },
    );
  }

  /**
   * One attempt, with its clean-up when it fails. `request`: numbers the attempts of one that makes several. Throws
   * `no_quorum`.
   */
  acquire(claim: Claim, terms: AcquireTerms, request?: Attempts | null): Promise<AcquireOutcome> {
    return this.primaries.steadily(() => {
      const attempt = request?.begin() ?? { nonce: this.ids.nonce(), attemptNumber: 1 };
      return this.#attempt({ ...claim, ...attempt }, terms, request);
    });
  }

  /**
   * Whether a majority have handed the lease on with exactly one counter, its token, and since when. Null: it has to be
   * asked for. The votes are those of one turn and one configuration.
   */
  judgeHandoff<V extends { readonly counter: number; readonly sinceMs: number }>(
    votes: readonly V[],
  ): { token: number; acks: number; sinceMs: number } | null {
    const verdict = this.tally(
      votes.map(({ counter }) => counter),
      this.primaries.majority,
    );
    if (verdict.kind !== "token") return null;
    this.onGrant(1);
    return {
      token: verdict.token,
      acks: votes.length,
      sinceMs: Math.min(...votes.map((vote) => vote.sinceMs)),
    };
  }

  /** Extends a lease on a majority. Throws `no_quorum`. */
  renew(lease: LeaseRenewal): Promise<RenewOutcome> {
    return this.primaries.steadily(() => this.#renew(lease));
  }

  /**
   * Ends a lease everywhere; primaries that do not answer are told later. Whether any primary still had it. Throws
   * `no_quorum` when a majority did not answer: it then ends as soon as they do.
   */
  release(claim: Claim, chosen: boolean): Promise<boolean> {
    return this.primaries.steadily(() => this.#release(claim, chosen, null));
  }

  /**
   * Ends whatever leases hold a resource, with all they hold, by their ids: a primary that hears of it late ends no newer
   * one, and one that has nothing of them takes nothing of them later. How many they were. Throws `no_quorum`.
   */
  async break(resource: string, reason: string): Promise<number> {
    const { majority, all } = this.primaries;
    const holders = (primary: Primary) => holdersOn(primary, this.keys, resource);
    const answers = await this.primaries.ask(holders, (sofar) =>
      agreeing(
        values(sofar).map((found) =>
          found
            .map(({ leaseId }) => leaseId)
            .sort()
            .join(),
        ),
        majority,
      ),
    );
    const seen = values(answers);
    if (seen.length < majority) throw this.primaries.noQuorum();
    const byLease = new Map<string, { resources: readonly string[]; votes: number }>();
    for (const { leaseId, resources } of seen.flat())
      byLease.set(leaseId, { resources, votes: (byLease.get(leaseId)?.votes ?? 0) + 1 });
    // Who cannot have a majority holds nothing yet, and may be asking for it just now.
    const held = [...byLease].filter(([, { votes }]) => votes + all.length - seen.length >= majority);
    for (let at = 0; at < held.length; at += BROKEN_AT_ONCE_MAX) {
      await Promise.all(
        held.slice(at, at + BROKEN_AT_ONCE_MAX).map(([leaseId, { resources }]) => {
          const claim = { leaseId, mode: null, resources, queues: resources, fingerprint: null, limit: null };
          return this.primaries.steadily(() => this.#release(claim, true, reason));
        }),
      );
    }
    return held.length;
  }

  /** Changes the metadata of a lease on a majority; false: it is not held any more. Throws `no_quorum`. */
  async proclaim(
    lease: Claim & { readonly token: number },
    revision: string,
    metadata: string,
  ): Promise<boolean> {
    const { majority } = this.primaries;
    const call = proclaim(this.keys, lease, revision, metadata);
    const settled = (sofar: Answers<boolean>) =>
      [true, false].some((one) => this.#isMajority(values(sofar).filter((vote) => vote === one)));
    const votes = values(await this.primaries.ask(call, settled));
    if (votes.filter((vote) => vote).length >= majority) return true;
    if (votes.filter((vote) => !vote).length >= majority) return false;
    throw this.primaries.noQuorum();
  }

  /** Throws `no_quorum`. */
  async inspect(resource: string): Promise<Inspection> {
    const { majority } = this.primaries;
    // Waits for those who disagree with the first: among two different replies of three, the third decides.
    const answers = await this.primaries.ask(inspectName(this.keys, resource), (sofar) =>
      agreeing(
        values(sofar).map(({ counter, holds }) =>
          JSON.stringify([counter, ...holds.map((hold) => [hold.digest, hold.counter, hold.revision])]),
        ),
        majority,
      ),
    );
    const seen = values(answers);
    if (seen.length < majority) throw this.primaries.noQuorum();
    const holds = heldOn(
      majority,
      seen.map((view) => view.holds),
    );
    const tokenOf = ({ digest }: Hold) => {
      const counters = seen.map((view) => view.holds.find((hold) => hold.digest === digest)?.counter ?? null);
      const verdict = this.tally(counters, majority);
      return verdict.kind === "token" ? verdict.token : null;
    };
    const fullest = seen.reduce((best, view) => (view.queue.length > best.queue.length ? view : best));
    return {
      holds: holds.map((hold) => ({ ...hold, token: tokenOf(hold) })),
      free: this.#isMajority(seen.filter((view) => view.holds.length === 0)),
      highest: Math.max(...seen.flatMap((view) => [view.counter, ...view.holds.map((hold) => hold.counter)])),
      waiting: Math.max(...seen.map((view) => view.waiting)),
      queue: fullest.queue,
    };
  }

  async #attempt(attempt: Attempt, terms: AcquireTerms, request?: Attempts | null): Promise<AcquireOutcome> {
    const operation = new Operation<AcquireVote>(this.primaries.all.length, {
      vote: acquireLease(this.keys, attempt, terms),
      isFor: (vote) => vote.kind === "granted",
      cleanUp: (late) => abandonAttempt(this.keys, attempt, late ? this.#tombstoneMs() : 0),
      compensationKey: `abandon/${attempt.leaseId}/${attempt.nonce}/${attempt.attemptNumber}`,
    });
    return this.#during(operation, async (id): Promise<AcquireOutcome> => {
      const { version } = this.primaries;
      try {
        await this.#redlock.acquire([id], terms.ttlMs);
      } catch {
        // For redlock a primary that is down is one against, so it may have heard too few to tell who holds it.
        return this.#refusal(await operation.until((answers) => this.#isMajority(values(answers))));
      }
      const token = await this.#agree(attempt, operation.answers, version);
      if (token !== null) {
        const { rounds, ...grant } = token;
        this.onGrant(rounds);
        // What reaches a primary after the release of one that waited would stand in line there once more.
        if (request) void operation.refuseLate(this.primaries.all);
        return { kind: "granted", ...grant };
      }
      await this.#redlock.release(this.#lock(id)).catch(() => {});
      return { kind: "held", hold: null, certain: false, ahead: 0 };
    }).finally(() => request?.decided(operation.voting));
  }

  async #renew(lease: LeaseRenewal): Promise<RenewOutcome> {
    const operation = new Operation<RenewVote>(this.primaries.all.length, {
      vote: renewLease(this.keys, lease),
      isFor: (vote) => vote.kind === "extended",
    });
    return this.#during(operation, async (id) => {
      await this.#redlock.extend(this.#lock(id), lease.ttlMs).catch(() => {});
      const extending = (sofar: Answers<RenewVote>) =>
        values(sofar).flatMap((vote) => (vote.kind === "extended" ? [vote] : []));
      const refusing = (sofar: Answers<RenewVote>) =>
        values(sofar).flatMap((vote) => (vote.kind === "extended" ? [] : [vote]));
      const answers = await operation.until(
        (sofar) => this.#isMajority(extending(sofar)) || this.#isMajority(refusing(sofar)),
      );
      const extended = extending(answers);
      // What was proclaimed on a majority is on one of any majority, which need not be the first.
      const [latest] = extended.toSorted((one, other) => (one.revision < other.revision ? 1 : -1));
      if (latest && this.#isMajority(extended)) {
        void this.#repair(lease, latest, operation);
        return { ...latest, kind: "renewed", token: lease.token, acks: extended.length };
      }
      const refused = refusing(answers);
      if (refused.some(({ kind }) => kind === "other")) return { kind: "other" };
      // Whoever does not know its token sends 0.
      const before = lease.token > 0 && lease.token < this.primaries.floor;
      if (this.#isMajority(refused)) return { kind: "lost", why: whyLost(refused, before) };
      throw this.primaries.noQuorum();
    });
  }

  /** Gives the lease to primaries that lack it. Never a vote of the renewal that found out. */
  async #repair(lease: LeaseRenewal, renewal: Renewal, operation: Operation<RenewVote>): Promise<void> {
    const answers = await operation.until(() => false);
    const call = repairLease(this.keys, lease, renewal);
    await Promise.all(
      this.primaries.all.map(async (primary, index) => {
        const answer = answers[index];
        // What is in the way of a writer may not be in that of a reader, as which it was renewed.
        const lacks = answer?.ok && (answer.value.kind === "missing" || answer.value.kind === "taken");
        if (lacks) await answerOf(primary, call);
      }),
    );
  }

  async #release(claim: Claim, chosen: boolean, brokenFor: string | null): Promise<boolean> {
    const { all, majority } = this.primaries;
    const call = (always: boolean) =>
      releaseLease(this.keys, claim, { forMs: this.#tombstoneMs(), always, brokenFor });
    const compensationKey = `release/${claim.leaseId}`;
    const operation = new Operation<never, string | null>(all.length, {
      cleanUp: (late) => call(late || chosen),
      cleanedUp: (found) => {
        const attempts = new Set(values(found).filter((attempt) => attempt !== null));
        // Where an earlier one had got it, the one that was granted may still come, behind the release.
        if (attempts.size > 1 && !chosen)
          for (const primary of all) primary.compensateLater(compensationKey, call(true));
      },
      compensationKey,
    });
    return this.#during(operation, async (id) => {
      await this.#redlock.release(this.#lock(id)).catch(() => {});
      const released = values(operation.cleanUps);
      if (released.length < majority) throw this.primaries.noQuorum();
      return released.some((attempt) => attempt !== null);
    });
  }

  /** The token that a majority agree on, after as many raises as it takes; null when no majority holds any more. */
  async #agree(
    attempt: Attempt,
    votes: Answers<AcquireVote>,
    version: number | null,
  ): Promise<{ token: number; acks: number; rounds: number } | null> {
    const { majority } = this.primaries;
    const shared = attempt.mode === "shared";
    const first = shared ? sharedMajority : this.tally;
    let counters = votes.map((answer) =>
      answer?.ok && answer.value.kind === "granted" ? answer.value.counter : null,
    );
    // Who has not answered by now is asked again by the raise: waiting for it could take a whole command timeout.
    let verdict: Verdict = first(counters, majority);
    for (let round = 1; round <= RAISE_ROUNDS_MAX; round++) {
      if (verdict.kind === "token") {
        const acks = counters.filter((counter) => counter !== null).length;
        return { token: verdict.token, acks, rounds: round };
      }
      // Votes of two configurations must not be mixed: a primary may have forgotten in between.
      if (verdict.kind !== "raise" || this.primaries.version !== version) return null;
      const { to } = verdict;
      const judge = (replies: readonly (number | null | undefined)[]) =>
        shared ? raisedMajority(replies, majority, to) : this.tally(replies, majority);
      const raised = await this.primaries.askOnce(
        raiseCounters(this.keys, attempt, to),
        (answers) => judge(toCounters(answers)).kind !== "open",
      );
      counters = toCounters(raised).map((counter) => counter ?? null);
      verdict = judge(counters);
    }
    return null;
  }

  #refusal(answers: Answers<AcquireVote>): AcquireOutcome {
    const answered = values(answers);
    if (answered.length < this.primaries.majority) throw this.primaries.noQuorum();
    const final = answered.find(({ kind }) => kind === "gone" || kind === "other");
    if (final?.kind === "gone" || final?.kind === "other") return final;
    const limits = answered.flatMap((vote) => (vote.kind === "limit" ? [vote] : []));
    const [limit] = limits;
    if (limit && this.#isMajority(limits)) return limit;
    const refusals = answered.flatMap((vote) =>
      vote.kind === "held" || vote.kind === "queued" ? [vote] : [],
    );
    const holds = refusals.flatMap((vote) => (vote.kind === "held" ? [vote.hold] : []));
    const most = mostNamed(holds);
    const quarantines = answered.flatMap((vote) => (vote.kind === "quarantined" ? [vote.forMs] : []));
    if (refusals.length === 0 && quarantines.length > 0)
      return { kind: "quarantined", primaries: quarantines.length, forMs: Math.min(...quarantines) };
    const queued = refusals.length - holds.length;
    return {
      kind: "held",
      hold: most?.hold ?? null,
      certain: (most?.votes ?? 0) + queued >= this.primaries.majority,
      ahead: Math.max(0, ...refusals.map(({ ahead }) => ahead)),
    };
  }

  #isMajority(votes: readonly unknown[]): boolean {
    return votes.length >= this.primaries.majority;
  }

  async #during<T, V, C>(operation: Operation<V, C>, body: (id: string) => Promise<T>): Promise<T> {
    const id = String(++this.#lastOperation);
    this.#operations.set(id, operation as Operation<unknown, unknown>);
    try {
      return await body(id);
    } finally {
      this.#operations.delete(id);
    }
  }

  /** redlock refuses to extend what it believes expired, by a clock that may jump: so it believes nothing. */
  #lock(id: string): Lock {
    return new Lock(this.#redlock, [id], id, [], Number.POSITIVE_INFINITY);
  }

  /** Longer than any message of a lease that is under way can matter. */
  #tombstoneMs(): number {
    return this.settings.ttlMaxMs + 60_000;
  }

  /** What redlock takes for a Redis client. Always settles; a vote is 1 for, 0 against. */
  #adapter(primary: Primary, index: number) {
    return {
      evalsha: async (hash: string, _keys: number, [id]: string[]): Promise<number> => {
        const operation = this.#operations.get(id ?? "");
        if (!operation) throw new Error("an operation that is over");
        return hash === RELEASE_SHA1 ? operation.cleanUpOn(primary, index) : operation.voteOn(primary, index);
      },
      eval: async (): Promise<number> => {
        throw new Error("scripts are loaded by the primary itself");
      },
      quit: async () => {},
    };
  }
}

function toCounters(answers: Answers<number | null>): (number | null | undefined)[] {
  return answers.map((answer) => (answer ? (answer.ok ? answer.value : null) : undefined));
}

const RAISE_ROUNDS_MAX = 5;
/** Leases that are ended at once, where an operator breaks a lock of thousands. */
const BROKEN_AT_ONCE_MAX = 50;
const RELEASE_SHA1 = createHash("sha1").update("release").digest("hex");
