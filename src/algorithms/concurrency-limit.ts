/** What a window of time has shown. */
export interface Measured {
  /** How late the event loop was on average, ms. */
  readonly loopDelayMs: number;
  /** How long the primaries took to answer, of which a majority were no slower, ms; null: nothing was asked. */
  readonly primariesMs: number | null;
  /** Whether more would have been in flight but for the limit. */
  readonly binding: boolean;
}

/**
 * How much may be in flight at once, found from the delay that it causes: as many as the event loop and the primaries
 * take without a queue of more than `TARGET_MS` of their own. Above the target the limit falls in proportion to the
 * delay, below it grows while it binds. What is not in flight waits before the limit, where it can still be refused,
 * ordered and forgotten.
 *
 * The proportional step is TCP Vegas' and FAST's, as in Netflix' concurrency-limits; but their baseline, the lowest
 * delay ever seen, is not trusted while the limit binds: it would drift up with the queue that it is to find.
 */
export class ConcurrencyLimit {
  #limit = LIMIT_FIRST;
  /** How long the primaries take when nothing queues, ms. */
  #idleMs: number | null = null;

  get value(): number {
    return Math.floor(this.#limit);
  }

  /** Takes a window of some 100 ms into account. */
  adjust({ loopDelayMs, primariesMs, binding }: Measured): void {
    if (primariesMs !== null) this.#learnIdle(primariesMs, binding);
    // Primaries that are far away take long however few ask.
    const queueMs = (primariesMs ?? 0) - (this.#idleMs ?? 0);
    const congestion = Math.max(loopDelayMs, queueMs) / TARGET_MS;
    if (congestion > 1) this.#limit *= Math.max(DECREASE_MIN, 1 / congestion);
    else if (binding) this.#limit += this.#limit * INCREASE * (1 - congestion) + 1;
    this.#limit = Math.min(LIMIT_MAX, Math.max(LIMIT_MIN, this.#limit));
  }

  #learnIdle(primariesMs: number, binding: boolean): void {
    if (this.#idleMs === null || primariesMs < this.#idleMs) this.#idleMs = primariesMs;
    else if (!binding) this.#idleMs += (primariesMs - this.#idleMs) * IDLE_GAIN;
  }
}

/** Long enough for the batches that make a request cheap, short beside the 100 ms after which a primary is given up. */
const TARGET_MS = 30;
/** Of what the limit is, in a window without any delay. */
const INCREASE = 0.25;
/** One window may be a pause of the machine: what it did is not to be taken for the load. */
const DECREASE_MIN = 0.7;
const IDLE_GAIN = 0.1;
const LIMIT_FIRST = 128;
/** So few never queue for `TARGET_MS` but where something else is slow, which fewer would not make faster. */
export const LIMIT_MIN = 64;
/** Each is some commands in memory, here and in the primaries. */
export const LIMIT_MAX = 1_024;
