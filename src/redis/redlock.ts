import { createHash } from "node:crypto";
import Redlock, { Lock } from "redlock";
import { exactMajority } from "../algorithms/tally.js";
import { CoordinationError } from "../errors.js";
import type { Ids } from "../ids.js";
import type { Keys } from "./keys.js";
import { Operation } from "./operation.js";
import { type Answers, type Primaries, values } from "./primaries.js";
import type { Primary } from "./primary.js";
import {
  type AcquireTerms,
  type AcquireVote,
  abandonLock,
  acquireLock,
  type Hold,
  inspectLock,
  type LeaseAttempt,
  type LeaseName,
  type LeaseRenewal,
  type Renewal,
  raiseLock,
  releaseLock,
  renewLock,
} from "./scripts.js";

export type AcquireOutcome =
  | { readonly kind: "granted"; readonly token: number; readonly acks: number }
  /** Another lease has it: on a majority (`certain`), or where the votes split, on the most primaries. */
  | { readonly kind: "held"; readonly hold: Hold | null; readonly certain: boolean }
  /** The leaseId was released before, or its request given up: an id is used for one lease. */
  | { readonly kind: "gone" };

export type RenewOutcome =
  | ({
      readonly kind: "renewed";
      readonly token: number;
      readonly acks: number;
    } & Renewal)
  | { readonly kind: "lost" };

/** What is known of a name when a majority was asked. */
export interface Inspection {
  /** The hold that a majority name, if one. */
  readonly hold: Hold | null;
  /** The holder's token, when it is exact on a majority. */
  readonly token: number | null;
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
    const adapters = primaries.all.map((primary, place) => this.#adapter(primary, place));
    // redlock's retries, drift and clock are not used: waiting and validity are the primitives'.
    this.#redlock = new Redlock(
      adapters as unknown as ConstructorParameters<typeof Redlock>[0],
      { retryCount: 0, driftFactor: 0 },
      { acquireScript: () => "acquire", extendScript: () => "extend", releaseScript: () => "release" },
    );
  }

  /** One attempt, with its clean-up when it fails. Throws `no_quorum`. */
  acquire(lease: LeaseName, terms: AcquireTerms): Promise<AcquireOutcome> {
    return this.primaries.steadily(() => this.#attempt({ ...lease, nonce: this.ids.nonce() }, terms));
  }

  /** Extends a lease on a majority. Throws `no_quorum`. */
  renew(lease: LeaseRenewal): Promise<RenewOutcome> {
    return this.primaries.steadily(() => this.#renew(lease));
  }

  /**
   * Ends a lease everywhere; primaries that do not answer are told later. Whether any primary still had it. Throws
   * `no_quorum` when a majority did not answer: it then ends as soon as they do.
   */
  release(lease: LeaseName, chosen: boolean): Promise<boolean> {
    return this.primaries.steadily(() => this.#release(lease, chosen));
  }

  /** Throws `no_quorum`. */
  async inspect(resource: string): Promise<Inspection> {
    const { majority } = this.primaries;
    // Waits for those who disagree with the first: among two different replies of three, the third decides.
    const answers = await this.primaries.ask(inspectLock(this.keys, resource), (sofar) =>
      agreeing(
        values(sofar).map(({ hold, counter }) => `${hold?.digest} ${counter}`),
        majority,
      ),
    );
    const seen = values(answers);
    if (seen.length < majority) throw this.primaries.noQuorum();
    const most = mostNamed(seen.flatMap((one) => (one.hold ? [one.hold] : [])));
    if (!most || most.votes < majority) return { hold: null, token: null };
    const counters = seen.map((one) => (one.hold?.digest === most.hold.digest ? one.counter : null));
    const verdict = this.tally(counters, majority);
    return { hold: most.hold, token: verdict.kind === "token" ? verdict.token : null };
  }

  async #attempt(attempt: LeaseAttempt, terms: AcquireTerms): Promise<AcquireOutcome> {
    const operation = new Operation<AcquireVote>(this.primaries.all.length, {
      vote: acquireLock(this.keys, attempt, terms),
      isFor: (vote) => vote.kind === "granted",
      cleanUp: (late) => abandonLock(this.keys, attempt, late ? this.#tombstoneMs() : 0),
      debt: `abandon/${attempt.resource}/${attempt.nonce}`,
    });
    return this.#during(operation, async (id) => {
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
        return { kind: "granted", ...grant };
      }
      await this.#redlock.release(this.#lock(id)).catch(() => {});
      return { kind: "held", hold: null, certain: false };
    });
  }

  async #renew(lease: LeaseRenewal): Promise<RenewOutcome> {
    const operation = new Operation<Renewal | null>(this.primaries.all.length, {
      vote: renewLock(this.keys, lease),
      isFor: (renewal) => renewal !== null,
    });
    return this.#during(operation, async (id) => {
      await this.#redlock.extend(this.#lock(id), lease.ttlMs).catch(() => {});
      const extending = (sofar: Answers<Renewal | null>) => values(sofar).filter((answer) => answer !== null);
      const refusing = (sofar: Answers<Renewal | null>) => values(sofar).filter((answer) => answer === null);
      const answers = await operation.until(
        (sofar) => this.#isMajority(extending(sofar)) || this.#isMajority(refusing(sofar)),
      );
      const extended = extending(answers);
      const [first] = extended;
      if (first && this.#isMajority(extended))
        return { kind: "renewed", token: lease.token, acks: extended.length, ...first };
      if (this.#isMajority(refusing(answers))) return { kind: "lost" };
      throw this.primaries.noQuorum();
    });
  }

  async #release(lease: LeaseName, chosen: boolean): Promise<boolean> {
    const operation = new Operation<never, boolean>(this.primaries.all.length, {
      cleanUp: (late) =>
        releaseLock(this.keys, lease, { forMs: this.#tombstoneMs(), always: late || chosen }),
      debt: `release/${lease.resource}/${lease.leaseId}`,
    });
    return this.#during(operation, async (id) => {
      await this.#redlock.release(this.#lock(id)).catch(() => {});
      const released = values(operation.cleanUps);
      if (released.length < this.primaries.majority) throw this.primaries.noQuorum();
      return released.includes(true);
    });
  }

  /** The token that is exact on a majority, after as many raises as it takes; null when no majority holds any more. */
  async #agree(
    attempt: LeaseAttempt,
    votes: Answers<AcquireVote>,
    version: number | null,
  ): Promise<{ token: number; acks: number; rounds: number } | null> {
    const { majority } = this.primaries;
    let counters = votes.map((answer) =>
      answer?.ok && answer.value.kind === "granted" ? answer.value.counter : null,
    );
    for (let round = 0; round < RAISE_ROUNDS_MAX; round++) {
      // Who has not answered by now is asked again by the raise: waiting for it could take a whole command timeout.
      const verdict = this.tally(counters, majority);
      if (verdict.kind === "token")
        return {
          token: verdict.token,
          acks: counters.filter((counter) => counter !== null).length,
          rounds: round + 1,
        };
      // Votes of two configurations must not be mixed: a primary may have forgotten in between.
      if (verdict.kind !== "raise" || this.primaries.version !== version) return null;
      const raised = await this.primaries.askOnce(
        raiseLock(this.keys, attempt, verdict.to),
        (answers) => this.tally(toCounters(answers), majority).kind !== "open",
      );
      counters = toCounters(raised).map((counter) => counter ?? null);
    }
    return null;
  }

  #refusal(answers: Answers<AcquireVote>): AcquireOutcome {
    const answered = values(answers);
    if (answered.length < this.primaries.majority) throw this.primaries.noQuorum();
    if (answered.some((vote) => vote.kind === "gone")) return { kind: "gone" };
    const most = mostNamed(answered.flatMap((vote) => (vote.kind === "held" ? [vote.hold] : [])));
    const quarantines = answered.flatMap((vote) => (vote.kind === "quarantined" ? [vote.forMs] : []));
    if (!most && quarantines.length > 0) throw quarantined(quarantines);
    return { kind: "held", hold: most?.hold ?? null, certain: (most?.votes ?? 0) >= this.primaries.majority };
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
  #adapter(primary: Primary, place: number) {
    return {
      evalsha: async (hash: string, _keys: number, [id]: string[]): Promise<number> => {
        const operation = this.#operations.get(id ?? "");
        if (!operation) throw new Error("an operation that is over");
        return hash === RELEASE_SHA1 ? operation.cleanUpOn(primary, place) : operation.voteOn(primary, place);
      },
      eval: async (): Promise<number> => {
        throw new Error("scripts are loaded by the primary itself");
      },
      quit: async () => {},
    };
  }
}

/** Too many primaries came back without their data to grant a lease before those that they forgot have ended. */
function quarantined(forMs: readonly number[]): CoordinationError {
  const retryAfterMs = Math.min(...forMs);
  return new CoordinationError(
    "no_quorum",
    `${forMs.length} primaries lost their data and grant no new lease until those that they may have forgotten have ended. Try again after retryAfterMs.`,
    { help: { retryAfterMs } },
  );
}

/** Whether as many as `majority` of the texts are the same. */
function agreeing(texts: readonly string[], majority: number): boolean {
  return texts.some((text) => texts.filter((other) => other === text).length >= majority);
}

/** The hold that the most primaries name. */
function mostNamed(holds: readonly Hold[]): { hold: Hold; votes: number } | undefined {
  const votes = (hold: Hold) => holds.filter((other) => other.digest === hold.digest).length;
  return holds
    .map((hold) => ({ hold, votes: votes(hold) }))
    .reduce<{ hold: Hold; votes: number } | undefined>(
      (best, one) => (best && best.votes >= one.votes ? best : one),
      undefined,
    );
}

function toCounters(answers: Answers<number | null>): (number | null | undefined)[] {
  return answers.map((answer) => (answer ? (answer.ok ? answer.value : null) : undefined));
}

const RAISE_ROUNDS_MAX = 5;
const RELEASE_SHA1 = createHash("sha1").update("release").digest("hex");
