import type { Clock } from "../../clock.js";

/**
 * Lets long computations share the event loop with other work: each is cut into slices of a few milliseconds, and each
 * turn of the event loop runs one slice, however many computations there are.
 */
export class TimeSlices {
  readonly #queue: (() => void)[] = [];
  #awaited = false;

  constructor(private readonly clock: Clock) {}

  /** Resolves when the caller may run one slice, in the order of the calls. */
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
