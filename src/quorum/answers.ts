import { type Answer, failed } from "../redis/answer.js";
import type { Primary } from "../redis/primary.js";
import type { Call } from "../scripts/scripts.js";

/** One entry per primary, in their order; undefined: it has not answered yet. */
export type Answers<T> = readonly (Answer<T> | undefined)[];

/** What a primary is asked: one call, or several of them in a row. */
export type Question<T> = Call<T> | ((primary: Primary, index: number) => Promise<T>);

/** The answers so far. */
export type Heard<T> = Pick<Votes<T>, "answers" | "values" | "replied" | "pending">;

/** Derives a verdict from the answers so far; undefined: they do not decide yet. */
export type Judge<T, V> = (heard: Heard<T>) => V | undefined;

/** Collects the answers to one question, including late ones for callers that wait for them. */
export class Votes<T> {
  readonly #answers: (Answer<T> | undefined)[];
  #pending: number;
  #replied = 0;
  /** Each is called after every answer until it returns that it needs no more. */
  #watchers: (() => boolean)[] = [];

  constructor(primaries: number) {
    this.#answers = new Array<undefined>(primaries).fill(undefined);
    this.#pending = primaries;
  }

  /** Notes the only answer of a primary. */
  note(index: number, answer: Answer<T>): void {
    this.#answers[index] = answer;
    this.#pending -= 1;
    if (answer.ok) this.#replied += 1;
    const watchers = this.#watchers;
    if (watchers.length > 0) this.#watchers = watchers.filter((isDone) => !isDone());
  }

  /** A snapshot: it does not change when another answer comes in. */
  get answers(): Answers<T> {
    return this.#answers.slice();
  }

  /** The values among the answers, in the order of the primaries. */
  get values(): readonly T[] {
    return values(this.#answers);
  }

  /** How many values there are. */
  get replied(): number {
    return this.#replied;
  }

  /** How many primaries have neither answered nor failed. */
  get pending(): number {
    return this.#pending;
  }

  /** The first verdict, as soon as there is one. Undefined: all have answered or failed, without one. */
  until<V>(judge: Judge<T, V>): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      const isDone = () => {
        try {
          const verdict = judge(this);
          if (verdict === undefined && this.#pending > 0) return false;
          resolve(verdict);
        } catch (error) {
          reject(error);
        }
        return true;
      };
      if (!isDone()) this.#watchers.push(isDone);
    });
  }

  /** Calls `listener` once all have answered or failed; if they have already, at once. */
  whenComplete(listener: (all: Heard<T>) => void): void {
    const isDone = () => {
      if (this.#pending > 0) return false;
      listener(this);
      return true;
    };
    if (!isDone()) this.#watchers.push(isDone);
  }

  /** Resolves once all have answered or failed. */
  complete(): Promise<Heard<T>> {
    return new Promise((resolve) => this.whenComplete(resolve));
  }
}

/** The values among the answers, in the order of the primaries. */
export function values<T>(answers: Answers<T>): T[] {
  const found: T[] = [];
  for (const answer of answers) if (answer?.ok) found.push(answer.value);
  return found;
}

/** Runs the question on one primary. */
export function ask<T>(
  primary: Primary,
  question: Question<T>,
  index: number,
  answered: (answer: Answer<T>) => void,
): void {
  if (typeof question !== "function") primary.ask(question, answered);
  else
    question(primary, index).then(
      (value) => answered({ ok: true, value }),
      (error) => answered(failed(error)),
    );
}

/** The same with a promise, which never rejects. */
export function answerOf<T>(primary: Primary, question: Question<T>, index = 0): Promise<Answer<T>> {
  return new Promise((resolve) => ask(primary, question, index, resolve));
}
