import type { Clock } from "../../clock.js";

/**
 * Lets long computations share the event loop with everything else: each is cut into slices of a few milliseconds, and
 * one slice of one of them runs in each turn of the event loop, however many there are.
 */
export class TimeSlices {
  readonly #queue: (() => void)[] = [];
  #awaited = false;

  constructor(private readonly clock: Clock) {}

  /** Resolves when it is the caller's turn to do one slice. They come in the order in which they were asked for. */
  take(): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push(resolve);
      this.#await();
    });
  }

  #await(): void {
    if (this.#awaited || this.#queue.length === 0) return;
    this.#awaited = true;
    this.clock.soon(() => {
      this.#awaited = false;
      this.#queue.shift()?.();
      this.#await();
    });
  }
}
