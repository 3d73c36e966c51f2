import { majorityOf } from "../algorithms/tally.js";
import { CoordinationError } from "../errors.js";
import { type Primary, PrimaryFailure } from "./primary.js";
import type { Call } from "./scripts.js";

/** What one primary said to a call. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: PrimaryFailure };

/** One place a primary, in their order; undefined: has not answered yet. */
export type Answers<T> = readonly (Answer<T> | undefined)[];

/** All primaries of one deployment. Knows votes, not what is voted on. */
export class Primaries {
  readonly majority: number;

  constructor(readonly all: readonly Primary[]) {
    this.majority = majorityOf(all.length);
  }

  /** Whether a majority answers, as far as is known now. */
  get quorum(): boolean {
    return this.all.filter((primary) => primary.up).length >= this.majority;
  }

  /**
   * Asks every primary at once. Resolves as soon as `settled` says that the answers so far decide, at the latest when
   * all answered or failed, which the command timeout bounds. Answers that come later are not lost: they stay in the
   * array, and `late` is told.
   */
  ask<T>(
    call: Call<T> | ((primary: Primary) => Call<T>),
    settled: (answers: Answers<T>) => boolean = (answers) => values(answers).length >= this.majority,
    late?: (answers: Answers<T>) => void,
  ): Promise<Answers<T>> {
    return new Promise((resolve) => {
      const answers: (Answer<T> | undefined)[] = this.all.map(() => undefined);
      let open = this.all.length;
      let done = false;
      const note = (place: number, answer: Answer<T>) => {
        answers[place] = answer;
        open -= 1;
        if (!done && (open === 0 || settled(answers))) {
          done = true;
          resolve([...answers]);
        }
        if (open === 0) late?.(answers);
      };
      this.all.forEach((primary, place) => {
        primary.run(typeof call === "function" ? call(primary) : call).then(
          (value) => note(place, { ok: true, value }),
          (error) => note(place, { ok: false, failure: asFailure(error) }),
        );
      });
    });
  }

  /** The values of a majority; throws `no_quorum` when fewer answered. */
  async askMajority<T>(call: Call<T>, late?: (answers: Answers<T>) => void): Promise<T[]> {
    const answered = values(await this.ask(call, undefined, late));
    if (answered.length < this.majority) throw this.noQuorum(answered.length);
    return answered;
  }

  noQuorum(answered: number): CoordinationError {
    return new CoordinationError(
      "no_quorum",
      `${answered} of ${this.all.length} primaries answered; ${this.majority} are needed. Try again when more are up: GET /v1/primaries tells which.`,
      { help: { retryAfterMs: 1000 } },
    );
  }

  close(): void {
    for (const primary of this.all) primary.close();
  }
}

/** The values among the answers so far, in the order of the primaries. */
export function values<T>(answers: Answers<T>): T[] {
  return answers.flatMap((answer) => (answer?.ok ? [answer.value] : []));
}

export function asFailure(error: unknown): PrimaryFailure {
  // A reply that cannot be parsed comes from our own mistake or a foreign server: it may have run.
  return error instanceof PrimaryFailure
    ? error
    : new PrimaryFailure("unknown", String(error), { cause: error });
}
