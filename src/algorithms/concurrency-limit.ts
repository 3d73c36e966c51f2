/** Measurements of one time window. */
export interface Measured {
  /** Average delay of the event loop, ms. */
  readonly loopDelayMs: number;
  /** The response time that a majority of the primaries did not exceed, ms; null: nothing was sent to them. */
  readonly primariesMs: number | null;
  /** Whether more requests would have been in flight without the limit. */
  readonly binding: boolean;
}

/**
 * How many requests may be in flight at once, derived from the delay that they cause: as many as the event loop and the
 * primaries handle without more than `TARGET_MS` of queueing of their own. Above the target the limit falls in
 * proportion to the delay; below it the limit grows while it binds. Requests beyond the limit wait in front of it,
 * where they can still be refused, ordered and forgotten.
 *
 * The proportional step is that of TCP Vegas and FAST, as in Netflix' concurrency-limits. Their baseline, the lowest
 * delay ever seen, is not trusted while the limit binds: it would drift up with the very queue that it is meant to
 * detect.
 */
export class ConcurrencyLimit {
  #limit = LIMIT_FIRST;
  /** Response time of the primaries when nothing queues, ms. */
  #idleMs: number | null = null;

  get value(): number {
    return Math.floor(this.#limit);
  }

  /** Takes the measurements of a window of some 100 ms into account. */
  adjust({ loopDelayMs, primariesMs, binding }: Measured): void {
    if (primariesMs !== null) this.#learnIdle(primariesMs, binding);
    // Distant primaries are slow to answer however few requests there are.
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
/** Growth in a window without any delay, as a share of the limit. */
const INCREASE = 0.25;
/** A single window may contain a pause of the machine, whose effect must not be mistaken for load. */
const DECREASE_MIN = 0.7;
const IDLE_GAIN = 0.1;
const LIMIT_FIRST = 128;
/** So few requests queue for `TARGET_MS` only where something else is slow, which a lower limit would not speed up. */
export const LIMIT_MIN = 64;
/** Each request in flight is a few commands in memory, here and in the primaries. */
export const LIMIT_MAX = 1_024;
