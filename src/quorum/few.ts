import type { Clock } from "../clock.js";
import type { Primary } from "../redis/primary.js";
import type { Call } from "../scripts/scripts.js";
import type { Primaries } from "./primaries.js";

/**
 * Reads that ask no more primaries than make a majority, another one first each time: of three, two thirds of the work of asking
 * all, as `Primaries.decide` does. Whoever needs an answer asks all where this has none.
 */
export class Few {
  #turn = 0;
  /** Those that failed, or kept somebody waiting, are not asked for a while. */
  readonly #restsUntilMs = new Map<Primary, number>();

  constructor(
    private readonly primaries: Pick<Primaries, "all" | "majority">,
    private readonly clock: Pick<Clock, "monotonicMs" | "after">,
  ) {}

  /** The values of a majority, in the order in which they were asked. Null: one of them failed, or took too long. */
  ask<T>(question: (nth: number) => Call<T>): Promise<readonly T[] | null> {
    const asked = this.#chosen();
    if (asked.length < this.primaries.majority) return Promise.resolve(null);
    return new Promise((resolve) => {
      const values: T[] = [];
      const awaited = new Set(asked);
      const cancel = this.clock.after(PATIENCE_MS, () => {
        for (const primary of awaited) this.#rest(primary);
        resolve(null);
      });
      const end = (all: readonly T[] | null) => {
        cancel();
        resolve(all);
      };
      asked.forEach((primary, nth) => {
        primary.ask(question(nth), (answer) => {
          awaited.delete(primary);
          if (!answer.ok) {
            this.#rest(primary);
            return end(null);
          }
          values[nth] = answer.value;
          if (awaited.size === 0) end(values);
        });
      });
    });
  }

  #chosen(): readonly Primary[] {
    const { all, majority } = this.primaries;
    const nowMs = this.clock.monotonicMs();
    const first = this.#turn++ % all.length;
    return [...all.slice(first), ...all.slice(0, first)]
      .filter((primary) => primary.up && (this.#restsUntilMs.get(primary) ?? 0) <= nowMs)
      .slice(0, majority);
  }

  #rest(primary: Primary): void {
    this.#restsUntilMs.set(primary, this.clock.monotonicMs() + REST_MS);
  }
}

/** Longer than a primary takes for what else it has to do, and no wait that anybody minds. */
const PATIENCE_MS = 50;
const REST_MS = 1_000;
