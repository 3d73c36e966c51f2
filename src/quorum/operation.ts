import type { Primary } from "../redis/primary.js";
import type { Call } from "../scripts/scripts.js";
import { type Answer, type Answers, answerOf } from "./primaries.js";

/** One operation on a lease under way: what each primary is asked, and what each said. */
export class Operation<V, C = unknown> {
  readonly answers: (Answer<V> | undefined)[];
  readonly cleanUps: (Answer<C> | undefined)[];
  /** One a primary, for the time until it has answered or failed. */
  readonly voting: Promise<unknown>[] = [];

  constructor(
    primaries: number,
    private readonly plan: Plan<V, C>,
  ) {
    this.answers = new Array(primaries).fill(undefined);
    this.cleanUps = new Array(primaries).fill(undefined);
  }

  async voteOn(primary: Primary, index: number): Promise<number> {
    const { vote, isFor } = this.plan;
    if (!vote || !isFor) throw new Error("an operation without a vote");
    const voting = answerOf(primary, vote);
    this.voting[index] = voting;
    const answer = await voting;
    this.answers[index] = answer;
    return answer.ok && isFor(answer.value) ? 1 : 0;
  }

  /** The votes when they decide, at the latest when all are there. */
  async until(decided: (answers: Answers<V>) => boolean): Promise<Answers<V>> {
    while (!decided(this.answers) && this.answers.includes(undefined)) {
      await Promise.race(this.voting.filter((_, index) => this.answers[index] === undefined));
    }
    return [...this.answers];
  }

  /** Cleans up later where nobody knows whether the vote arrived, or will, though the others have decided for it. */
  async refuseLate(primaries: readonly Primary[]): Promise<void> {
    const answers = await this.until(() => false);
    primaries.forEach((primary, index) => {
      const vote = answers[index];
      if (vote?.ok === false && vote.failure.kind === "unknown") this.#cleanUpLater(primary);
    });
  }

  /** Done when the primary answered; one that did not is told when it is back. */
  async cleanUpOn(primary: Primary, index: number): Promise<number> {
    const { cleanUp, isFor } = this.plan;
    if (!cleanUp) throw new Error("an operation without clean-up");
    // What is still asked may be sent once more, as text, behind the clean-up.
    await this.voting[index];
    const vote = this.answers[index];
    const failed = vote && !vote.ok ? vote.failure.kind : undefined;
    // Who refused has nothing to be taken back.
    if (failed === "not_sent" || (vote?.ok && isFor && !isFor(vote.value))) return 1;
    const answer = await answerOf(primary, cleanUp(failed === "unknown"));
    this.cleanUps[index] = answer;
    if (!answer.ok) this.#cleanUpLater(primary);
    if (!this.cleanUps.includes(undefined)) this.plan.cleanedUp?.(this.cleanUps);
    return answer.ok ? 1 : 0;
  }

  #cleanUpLater(primary: Primary): void {
    const { cleanUp, compensationKey } = this.plan;
    if (!cleanUp || !compensationKey) throw new Error("an operation without clean-up");
    primary.compensateLater(compensationKey, cleanUp(true));
  }
}

/** What is voted on, and how it is taken back. */
interface Plan<V, C> {
  readonly vote?: Call<V>;
  readonly isFor?: (value: V) => boolean;
  /** `late`: another message of this operation may reach the primary after this one. */
  readonly cleanUp?: (late: boolean) => Call<C>;
  /** Told what the clean-ups found, when all primaries have answered or failed. */
  readonly cleanedUp?: (found: Answers<C>) => void;
  /** Name of what is owed to a primary that did not answer the clean-up. */
  readonly compensationKey?: string;
}
