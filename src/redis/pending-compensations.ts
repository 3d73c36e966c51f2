import type { Call } from "../scripts/scripts.js";

/**
 * What a primary must still be told: releases and clean-ups that it did not answer. Each is told as often as it takes
 * until it was answered. The oldest are dropped beyond `OWED_MAX`: then only their time to live ends what they should
 * have ended.
 */
export class PendingCompensations {
  readonly #pending = new Map<string, Call<unknown>>();
  #delivering = false;

  constructor(
    /** Whether the primary answered the call, be it with an error that would come again. */
    private readonly run: (call: Call<unknown>) => Promise<boolean>,
    private readonly dropped: () => void,
  ) {}

  /** `key` names the debt, so that the same one is owed once. */
  add(key: string, call: Call<unknown>): void {
    this.#pending.delete(key);
    this.#pending.set(key, call);
    if (this.#pending.size <= PENDING_MAX) return;
    const oldest = this.#pending.keys().next();
    if (!oldest.done) this.#pending.delete(oldest.value);
    this.dropped();
  }

  /** Tells what is owed, until all is told or nothing is answered any more. */
  async deliver(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (this.#pending.size > 0) {
        const batch = [...this.#pending].slice(0, BATCH);
        const answered = await Promise.all(batch.map(([, call]) => this.run(call)));
        batch.forEach(([key, call], index) => {
          if (answered[index] && this.#pending.get(key) === call) this.#pending.delete(key);
        });
        if (!answered.includes(true)) return;
      }
    } finally {
      this.#delivering = false;
    }
  }
}

/** 10,000 keep a primary that is away for long under some 10 MB. */
const PENDING_MAX = 10_000;
const BATCH = 100;
