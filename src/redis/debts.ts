import type { Call } from "./scripts.js";

/**
 * What a primary must still be told: releases and clean-ups that it did not answer. Each is told as often as it takes
 * until it was answered. The oldest are dropped beyond `OWED_MAX`: then only their time to live ends what they should
 * have ended.
 */
export class Debts {
  readonly #owed = new Map<string, Call<unknown>>();
  #paying = false;

  constructor(
    /** Whether the primary answered the call, be it with an error that would come again. */
    private readonly tell: (call: Call<unknown>) => Promise<boolean>,
    private readonly dropped: () => void,
  ) {}

  /** `key` names the debt, so that the same one is owed once. */
  owe(key: string, call: Call<unknown>): void {
    this.#owed.delete(key);
    this.#owed.set(key, call);
    if (this.#owed.size <= OWED_MAX) return;
    const oldest = this.#owed.keys().next();
    if (!oldest.done) this.#owed.delete(oldest.value);
    this.dropped();
  }

  /** Tells what is owed, until all is told or nothing is answered any more. */
  async pay(): Promise<void> {
    if (this.#paying) return;
    this.#paying = true;
    try {
      while (this.#owed.size > 0) {
        const batch = [...this.#owed].slice(0, BATCH);
        const answered = await Promise.all(batch.map(([, call]) => this.tell(call)));
        batch.forEach(([key, call], place) => {
          if (answered[place] && this.#owed.get(key) === call) this.#owed.delete(key);
        });
        if (!answered.includes(true)) return;
      }
    } finally {
      this.#paying = false;
    }
  }
}

/** 10,000 keep a primary that is away for long under some 10 MB. */
const OWED_MAX = 10_000;
const BATCH = 100;
