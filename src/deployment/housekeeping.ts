import type { Primary } from "../redis/primary.js";
import { rotateCounters } from "../scripts/configuration-calls.js";
import { sweepHeld } from "../scripts/holder-calls.js";
import type { ReconcilerDependencies } from "./dependencies.js";
import type { ObservedPrimary } from "./prober.js";

/**
 * Limits what primaries store to about what is in use: rotates generations of counters, and sweeps the list of held names.
 * Each primary decides what is due, so any number of instances may ask.
 */
export class Housekeeping {
  readonly #swept = new Set<Primary>();
  #closed = false;

  constructor(
    private readonly dependencies: Pick<ReconcilerDependencies, "keys" | "clock" | "settings">,
    /** How often `run` is called, ms. */
    private readonly intervalMs: number,
  ) {}

  /** Asks each member once. */
  run(members: readonly Pick<ObservedPrimary, "primary" | "floor">[]): void {
    const { keys, settings } = this.dependencies;
    const highest = Math.max(0, ...members.map(({ floor }) => floor));
    const rotation = rotateCounters(keys, settings.rotateAfterMs, highest, settings.countersMax);
    for (const { primary } of members) {
      // A rotation that fails is due again at the next call.
      primary.run(rotation).catch(() => {});
      void this.#sweep(primary);
    }
  }

  close(): void {
    this.#closed = true;
  }

  /**
   * Continues for as long as parts are due before the next call: the more names there are, and the more of them that
   * nobody holds any more, the sooner the primary says that the next part is due.
   */
  async #sweep(primary: Primary): Promise<void> {
    if (this.#swept.has(primary)) return;
    this.#swept.add(primary);
    try {
      while (!this.#closed) {
        const { nextInMs } = await primary.run(sweepHeld(this.dependencies.keys));
        if (nextInMs > this.intervalMs / 2) return;
        await this.dependencies.clock.sleep(nextInMs);
      }
    } catch {
      // The next call starts a new sweep.
    } finally {
      this.#swept.delete(primary);
    }
  }
}
