import { PrimaryFailure } from "../redis/failures.js";
import type { Primary } from "../redis/primary.js";
import type { Call } from "../scripts/scripts.js";

/** The answer of one primary to a question. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: PrimaryFailure };

/** One entry per primary, in their order; undefined: it has not answered yet. */
export type Answers<T> = readonly (Answer<T> | undefined)[];

/** What a primary is asked: one call, or several of them in a row. */
export type Question<T> = Call<T> | ((primary: Primary, index: number) => Promise<T>);

/** The answers so far. */
export type Heard<T> = Pick<Votes<T>, "answers" | "values" | "pending">;

/** Derives a verdict from the answers so far; undefined: they do not decide yet. */
export type Judge<T, V> = (heard: Heard<T>) => V | undefined;

/** Collects the answers to one question, including late ones for callers that wait for them. */
export class Votes<T> {
  #answers: Answers<T>;
  readonly #watchers = new Set<() => void>();

  constructor(primaries: number) {
    this.#answers = new Array<undefined>(primaries).fill(undefined);
  }

  note(index: number, answer: Answer<T>): void {
    this.#answers = this.#answers.with(index, answer);
    for (const look of this.#watchers) look();
  }

  /** A snapshot: it does not change when another answer comes in. */
  get answers(): Answers<T> {
    return this.#answers;
  }

  /** The values among the answers, in the order of the primaries. */
  get values(): readonly T[] {
    return values(this.#answers);
  }

  /** How many primaries have neither answered nor failed. */
  get pending(): number {
    return this.#answers.filter((answer) => answer === undefined).length;
  }

  /** The first verdict, as soon as there is one. Undefined: all have answered or failed, without one. */
  until<V>(judge: Judge<T, V>): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      const look = () => {
        try {
          const verdict = judge(this);
          if (verdict === undefined && this.pending > 0) return;
          resolve(verdict);
        } catch (error) {
          reject(error);
        }
        this.#watchers.delete(look);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** Resolves once all have answered or failed. */
  async complete(): Promise<Heard<T>> {
    await this.until(() => undefined);
    return this;
  }
}

/** The values among the answers, in the order of the primaries. */
export function values<T>(answers: Answers<T>): T[] {
  return answers.flatMap((answer) => (answer?.ok ? [answer.value] : []));
}

/** Runs the question on one primary; a failure is an answer too. */
export async function answerOf<T>(primary: Primary, question: Question<T>, index = 0): Promise<Answer<T>> {
  try {
    const value = await (typeof question === "function" ? question(primary, index) : primary.run(question));
    return { ok: true, value };
  } catch (error) {
    if (error instanceof PrimaryFailure) return { ok: false, failure: error };
    // A reply that cannot be parsed comes from a mistake of ours or from a foreign server: the call may have run.
    return { ok: false, failure: new PrimaryFailure("unknown", String(error), { cause: error }) };
  }
}
