/**
 * When to restart a worker that ended: soon after the first time, twice as late each time that follows, up to
 * `DELAY_MS_MAX`; and soon again after a time of health.
 */
export class Restarts {
  #failures = 0;

  /** Delay before the next start, in ms. `servedMs`: how long the worker had served when it ended; 0: it never did. */
  nextDelayMs(servedMs: number): number {
    if (servedMs >= HEALTHY_MS) this.#failures = 0;
    return Math.min(DELAY_MS_MAX, DELAY_MS * 2 ** this.#failures++);
  }
}

const DELAY_MS = 100;
const DELAY_MS_MAX = 10_000;
const HEALTHY_MS = 60_000;
