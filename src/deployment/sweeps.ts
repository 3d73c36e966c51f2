import type { Clock } from "../clock.js";
import type { Primary } from "../redis/primary.js";
import { sweepHeld } from "../scripts/holder-calls.js";
import type { Keys } from "../scripts/keys.js";

/**
 * Keeps the list of names that are held as small as what is held. A primary says when the next part of it is due: the more
 * names, and the more of them that nobody holds any more, the sooner, whatever number of instances there is.
 */
export class Sweeps {
  readonly #underWay = new Set<Primary>();
  #closed = false;

  constructor(
    private readonly keys: Keys,
    private readonly clock: Clock,
    /** How often `sweep` is called, ms. */
    private readonly intervalMs: number,
  ) {}

  /** Goes on for as long as parts are due before the next call. */
  async sweep(primary: Primary): Promise<void> {
    if (this.#underWay.has(primary)) return;
    this.#underWay.add(primary);
    try {
      while (!this.#closed) {
        const { nextInMs } = await primary.run(sweepHeld(this.keys));
        if (nextInMs > this.intervalMs / 2) return;
        await this.clock.sleep(nextInMs);
      }
    } catch {
      // The next call begins again.
    } finally {
      this.#underWay.delete(primary);
    }
  }

  close(): void {
    this.#closed = true;
  }
}
