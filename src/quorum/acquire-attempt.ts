import type { Primary } from "../redis/primary.js";
import type { Keys } from "../scripts/keys.js";
import {
  type AcquireTerms,
  type AcquireVote,
  type Attempt,
  abandonAttempt,
  acquireLease,
} from "../scripts/lease-calls.js";
import type { Call } from "../scripts/scripts.js";
import { answerOf, Votes } from "./answers.js";

/**
 * One attempt to acquire a lease, under way: how each primary, by its index, votes on it, and how its vote is taken back.
 * Neither rejects or hangs.
 */
export class AcquireAttempt {
  readonly votes: Votes<AcquireVote>;
  /** One per primary; it resolves when that one has answered or failed. */
  readonly voting: Promise<unknown>[] = [];
  readonly #acquire: Call<AcquireVote>;

  constructor(
    private readonly primaries: readonly Primary[],
    private readonly keys: Keys,
    private readonly attempt: Attempt,
    terms: AcquireTerms,
    /** Longer than a message of the attempt can be under way. */
    private readonly tombstoneMs: number,
  ) {
    this.votes = new Votes(primaries.length);
    this.#acquire = acquireLease(keys, attempt, terms);
  }

  /** 1 if the primary grants it, else 0. */
  vote(index: number): Promise<number> {
    const voting = new Promise<number>((resolve) =>
      this.#primary(index).ask(this.#acquire, (answer) => {
        this.votes.note(index, answer);
        resolve(answer.ok && answer.value.kind === "granted" ? 1 : 0);
      }),
    );
    this.voting[index] = voting;
    return voting;
  }

  /** Whether nothing of it is left there. Where the primary does not answer, the clean-up becomes a pending compensation. */
  async takeBack(index: number): Promise<boolean> {
    // A vote under way may be sent a second time, as text, and would then come behind the clean-up.
    await this.voting[index];
    const vote = this.votes.answers[index];
    const failed = vote && !vote.ok ? vote.failure.kind : null;
    // A primary that refused, or was not asked, has nothing of the attempt.
    if (failed === "not_sent" || (vote?.ok && vote.value.kind !== "granted")) return true;
    const answer = await answerOf(this.#primary(index), this.#abandon(failed === "unknown"));
    if (!answer.ok) this.#abandonLater(index);
    return answer.ok;
  }

  /** Refuses the attempt from now on wherever it may have arrived, or may yet, while the others decided without that vote. */
  async refuseLate(): Promise<void> {
    const { answers } = await this.votes.complete();
    answers.forEach((vote, index) => {
      if (vote?.ok === false && vote.failure.kind === "unknown") this.#abandonLater(index);
    });
  }

  #abandonLater(index: number): void {
    const { leaseId, nonce, attemptNumber } = this.attempt;
    const key = `abandon/${leaseId}/${nonce}/${attemptNumber}`;
    this.#primary(index).compensateLater(key, this.#abandon(true));
  }

  /** `late`: a message of the attempt may reach the primary behind this one. */
  #abandon(late: boolean) {
    return abandonAttempt(this.keys, this.attempt, late ? this.tombstoneMs : 0);
  }

  #primary(index: number): Primary {
    return this.primaries[index] as Primary;
  }
}
