import type { Call } from "../scripts/scripts.js";

/**
 * Releases and clean-ups that a primary did not answer (hinted handoff). Each is run until it has been answered once. Beyond
 * `PENDING_MAX` the oldest are dropped: then only the time to live ends the leases that they should have ended.
 */
export class PendingCompensations {
  readonly #pending = new Map<string, Call<unknown>>();
  #delivering = false;

  constructor(
    /** Resolves to whether the primary answered the call, even if with an error that would come again. */
    private readonly run: (call: Call<unknown>) => Promise<boolean>,
    private readonly dropped: () => void,
  ) {}

  /** A call that is added again under the same `key` replaces the one before. */
  add(key: string, call: Call<unknown>): void {
    this.#pending.delete(key);
    this.#pending.set(key, call);
    if (this.#pending.size <= PENDING_MAX) return;
    const oldest = this.#pending.keys().next();
    if (!oldest.done) this.#pending.delete(oldest.value);
    this.dropped();
  }

  /** Runs the pending calls until none is left or the primary no longer answers. */
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

/** Some 10 MB for a primary that is away for long. */
const PENDING_MAX = 10_000;
const BATCH = 100;
