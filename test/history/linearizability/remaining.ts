import type { Call, WrongSearch } from "./linearizable.js";

const NONE = -1;

/**
 * The calls that are not in the order yet, and which of them may come next: those that began before the first of them
 * ended. A call is named by its place: those with an answer come first, then the others, each in the order of their
 * starts. What starts and ends is a list in the order of time, from which a call is taken, and put back, at once.
 */
export class Remaining<C extends Call<unknown, unknown>> {
  readonly #calls: readonly C[];
  /** How many have an answer. */
  readonly #answered: number;
  /** Entries 0 to n-1 are the starts of the calls with an answer, n to 2n-1 their ends, and 2n is before the first. */
  readonly #before: Int32Array;
  readonly #after: Int32Array;
  readonly #isDone: Uint8Array;
  /** For each call without an answer the one before it with the same input, or NONE. */
  readonly #twins: readonly number[];
  /** How many with an answer are done, and how many of them come before the first that is not. */
  #done = 0;
  #doneFirst = 0;

  constructor(
    calls: readonly C[],
    private readonly wrong: WrongSearch | undefined,
  ) {
    const sorted = [...calls].sort((a, b) => a.startMs - b.startMs);
    const answered = sorted.filter(({ answer }) => answer !== null);
    const unknown = sorted.filter(({ answer }) => answer === null);
    this.#calls = wrong === "unknown outcomes are failures" ? answered : [...answered, ...unknown];
    this.#answered = answered.length;
    this.#isDone = new Uint8Array(this.#calls.length);
    this.#twins = twins(this.#calls, answered.length);
    this.#before = new Int32Array(2 * answered.length + 1);
    this.#after = new Int32Array(2 * answered.length + 1);
    this.#link();
  }

  call(place: number): C {
    return this.#calls[place] as C;
  }

  /** Whether all is in the order that has to be. */
  mayEnd(): boolean {
    const all = this.wrong === "unknown outcomes are successes";
    return this.#done === this.#answered && !(all && this.#isDone.includes(0));
  }

  /** Of the calls that may come next the one behind `last`, or the first; undefined where there is none. */
  next(last = NONE): number | undefined {
    if (last < this.#answered) {
      const entry = this.#after[last === NONE ? 2 * this.#answered : last] as number;
      if (entry !== NONE && entry < this.#answered) return entry;
    }
    const endMs = this.firstEndMs();
    for (let place = Math.max(last + 1, this.#answered); place < this.#calls.length; place++) {
      if (this.call(place).startMs > endMs) return undefined;
      if (!this.#isDone[place] && this.#isItsTurn(place)) return place;
    }
    return undefined;
  }

  /** When the first one ended that is not in the order yet. */
  firstEndMs(): number {
    let entry = this.#after[2 * this.#answered] as number;
    while (entry !== NONE && entry < this.#answered) entry = this.#after[entry] as number;
    return entry === NONE ? Number.POSITIVE_INFINITY : endOf(this.call(entry - this.#answered));
  }

  take(place: number): void {
    this.#isDone[place] = 1;
    if (place >= this.#answered) return;
    this.#unlink(place);
    this.#unlink(place + this.#answered);
    this.#done++;
    while (this.#doneFirst < this.#answered && this.#isDone[this.#doneFirst]) this.#doneFirst++;
  }

  /** The last one that was taken is put back first. */
  putBack(place: number): void {
    this.#isDone[place] = 0;
    if (place >= this.#answered) return;
    this.#linkAgain(place + this.#answered);
    this.#linkAgain(place);
    this.#done--;
    this.#doneFirst = Math.min(this.#doneFirst, place);
  }

  /** Which calls are in the order: the same for no other set of them. */
  key(): string {
    let rest = this.#done - this.#doneFirst;
    let key = `${this.#doneFirst}`;
    for (let place = this.#doneFirst; rest > 0; place++)
      if (this.#isDone[place]) {
        key += `,${place - this.#doneFirst}`;
        rest--;
      }
    for (let place = this.#answered; place < this.#calls.length; place++)
      if (this.#isDone[place]) key += `;${place - this.#answered}`;
    return key;
  }

  /**
   * Equal calls without an answer can stand in for each other, so that they are tried in the order of their starts
   * only: this keeps the search small where many calls were given up.
   */
  #isItsTurn(place: number): boolean {
    const twin = this.#twins[place] as number;
    if (twin === NONE) return true;
    return this.wrong !== "of equal calls without an answer only one may happen" && this.#isDone[twin] === 1;
  }

  #link(): void {
    const n = this.#answered;
    const timeOf = (entry: number) => {
      if (entry >= n) return endOf(this.call(entry - n));
      return this.wrong === "real time does not matter" ? Number.NEGATIVE_INFINITY : this.call(entry).startMs;
    };
    // At one time a start comes before an end: nobody knows which came first.
    const entries = Array.from({ length: 2 * n }, (_, entry) => entry).sort(
      (a, b) => timeOf(a) - timeOf(b) || a - b,
    );
    let before = 2 * n;
    for (const entry of entries) {
      this.#after[before] = entry;
      this.#before[entry] = before;
      before = entry;
    }
    this.#after[before] = NONE;
  }

  #unlink(entry: number): void {
    const before = this.#before[entry] as number;
    const after = this.#after[entry] as number;
    this.#after[before] = after;
    if (after !== NONE) this.#before[after] = before;
  }

  #linkAgain(entry: number): void {
    const after = this.#after[entry] as number;
    this.#after[this.#before[entry] as number] = entry;
    if (after !== NONE) this.#before[after] = entry;
  }
}

function endOf(call: Call<unknown, unknown>): number {
  return call.answer?.atMs as number;
}

function twins(calls: readonly Call<unknown, unknown>[], from: number): number[] {
  const last = new Map<string, number>();
  return calls.map(({ input }, place) => {
    if (place < from) return NONE;
    const text = JSON.stringify(input);
    const twin = last.get(text) ?? NONE;
    last.set(text, place);
    return twin;
  });
}
