import { type Refusal, whyRefused } from "../algorithms/refusals.js";
import { exactMajority, raisedMajority, sharedMajority, type Verdict } from "../algorithms/tally.js";
import type { Ids } from "../ids.js";
import type { Hold } from "../scripts/hold.js";
import type { Keys } from "../scripts/keys.js";
import {
  type AcquireTerms,
  type AcquireVote,
  type Attempt,
  type Claim,
  raiseCounters,
} from "../scripts/lease-calls.js";
import { AcquireAttempt } from "./acquire-attempt.js";
import type { Answers, Votes } from "./answers.js";
import type { Primaries } from "./primaries.js";
import { RedlockAdapter } from "./redlock-adapter.js";

export type AcquireOutcome =
  | { readonly kind: "granted"; readonly token: number; readonly acks: number }
  | Refusal<Hold>;

/** The attempts of one request. */
export interface Attempts {
  /** The next one: those before it are over. */
  begin(): Pick<Attempt, "nonce" | "attemptNumber">;
  /** The attempt is decided. `voting`: one promise per primary; some may still be asked. */
  decided(voting: readonly Promise<unknown>[]): void;
}

/** Votes on new leases: redlock finds the majority, and their counters have to agree exactly on the fencing token. */
export class AcquireVotes {
  readonly #redlock: RedlockAdapter;

  constructor(
    protected readonly primaries: Primaries,
    protected readonly keys: Keys,
    private readonly ids: Ids,
    private readonly settings: { readonly ttlMaxMs: number },
    /** Called at each grant with the round trips that it took; more than one where the counters differed. */
    private readonly onGrant: (rounds: number) => void = () => {},
    /** The rule by which votes make a token; tests put wrong ones in its place. */
    protected readonly tally: typeof exactMajority = exactMajority,
  ) {
    this.#redlock = new RedlockAdapter(primaries.all.length);
  }

  /**
   * One attempt, with its clean-up when it fails. `request`: numbers the attempts of a request that makes several. Throws
   * `no_quorum`.
   */
  acquire(claim: Claim, terms: AcquireTerms, request?: Attempts | null): Promise<AcquireOutcome> {
    return this.primaries.steadily(async () => {
      const { all, version } = this.primaries;
      const begun = request?.begin() ?? { nonce: this.ids.nonce(), attemptNumber: 1 };
      const attempt = { ...claim, ...begun };
      const asked = new AcquireAttempt(all, this.keys, attempt, terms, this.tombstoneMs);
      try {
        if (!(await this.#redlock.acquire(asked, terms.ttlMs))) return await this.#refusal(asked.votes);
        const grant = await this.#token(attempt, asked.votes.answers, version);
        if (grant === null) {
          // A clean-up that does not reach a primary becomes a pending compensation, so nothing depends on the outcome here.
          await this.primaries.decide((_, index) => asked.takeBack(index), this.primaries.ofMajority);
          return { kind: "held", hold: null, certain: false, ahead: 0 };
        }
        const { token, acks, rounds } = grant;
        this.onGrant(rounds);
        // A message that reaches a primary behind the release of a lease that was waited for would queue there once more.
        if (request) void asked.refuseLate();
        return { kind: "granted", token, acks };
      } finally {
        request?.decided(asked.voting);
      }
    });
  }

  /**
   * Whether a majority have handed off the lease with exactly one counter, its token, and since when. Null: it has to be
   * asked for. The votes are those on one attempt in one configuration.
   */
  judgeHandoff(
    votes: readonly { readonly counter: number; readonly sinceMs: number }[],
  ): { token: number; acks: number; sinceMs: number } | null {
    const counters = votes.map(({ counter }) => counter);
    const verdict = this.tally(counters, this.primaries.majority);
    if (verdict.kind !== "token") return null;
    this.onGrant(1);
    const sinceMs = Math.min(...votes.map((vote) => vote.sinceMs));
    return { token: verdict.token, acks: votes.length, sinceMs };
  }

  /** Longer than any message of a lease can be under way and still matter. */
  protected get tombstoneMs(): number {
    return this.settings.ttlMaxMs + 60_000;
  }

  /** redlock may have heard too few to tell who holds it: this waits for a majority of answers. */
  async #refusal(votes: Votes<AcquireVote>): Promise<Refusal<Hold>> {
    const answered = await votes.until(this.primaries.ofMajority);
    if (!answered) throw this.primaries.noQuorum();
    return whyRefused(answered, this.primaries.majority);
  }

  /** The token that a majority agree on, after as many raises as it takes; null: no majority hold the lease any more. */
  async #token(
    attempt: Attempt,
    votes: Answers<AcquireVote>,
    version: number | null,
  ): Promise<{ token: number; acks: number; rounds: number } | null> {
    const { majority } = this.primaries;
    const shared = attempt.mode === "shared";
    let counters = votes.map((answer) =>
      answer?.ok && answer.value.kind === "granted" ? answer.value.counter : null,
    );
    // A primary that has not answered by now is asked again by the raise: its vote could take a whole command timeout.
    let verdict: Verdict = (shared ? sharedMajority : this.tally)(counters, majority);
    for (let rounds = 1; rounds <= RAISE_ROUNDS_MAX; rounds++) {
      if (verdict.kind === "token")
        return { token: verdict.token, acks: counters.filter((counter) => counter !== null).length, rounds };
      // Votes of two configurations must not be mixed: a primary may have forgotten its own in between.
      if (verdict.kind !== "raise" || this.primaries.version !== version) return null;
      ({ counters, verdict } = await this.#raise(attempt, verdict.to));
    }
    return null;
  }

  async #raise(attempt: Attempt, to: number) {
    const { majority } = this.primaries;
    return this.primaries.decide(raiseCounters(this.keys, attempt, to), ({ answers }) => {
      const replies = answers.map((answer) => (answer?.ok === false ? null : answer?.value));
      const verdict =
        attempt.mode === "shared" ? raisedMajority(replies, majority, to) : this.tally(replies, majority);
      // When all have answered it is decided, so it is never asked again in another configuration.
      return verdict.kind === "open"
        ? undefined
        : { verdict, counters: replies.map((counter) => counter ?? null) };
    });
  }
}

const RAISE_ROUNDS_MAX = 5;
