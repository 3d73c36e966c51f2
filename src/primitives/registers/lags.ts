import type { Primaries } from "../../quorum/primaries.js";
import type { Registers } from "./registers.js";

/** How far a primary lags behind, as far as one instance knows. */
export interface Lag {
  /** Registers of which it has not acknowledged the latest change that this instance made. */
  readonly registers: number;
  /** Since when it lags, on the monotonic clock; null: it does not. */
  readonly sinceMs: number | null;
}

/**
 * The changes that a majority have and single primaries did not acknowledge. They are sent again once these take part; of more
 * than can be remembered, anti-entropy finds the rest.
 */
export class Lags {
  /** By primary: names of registers. */
  readonly #missed: readonly Set<string>[];
  readonly #sinceMs: (number | null)[];

  constructor(
    private readonly primaries: Primaries,
    private readonly monotonicMs: () => number,
  ) {
    this.#missed = primaries.all.map(() => new Set());
    this.#sinceMs = primaries.all.map(() => null);
  }

  /** The primary at this place did not acknowledge a change of a register. */
  missed(place: number, name: string): void {
    const names = this.#missed[place];
    if (!names || names.size >= MISSED_MAX) return;
    names.add(name);
    this.#sinceMs[place] ??= this.monotonicMs();
  }

  of(place: number): Lag {
    return { registers: this.#missed[place]?.size ?? 0, sinceMs: this.#sinceMs[place] ?? null };
  }

  /** Sends again some of what was missed. Returns whether that did good, and there is more. */
  async catchUp(registers: Pick<Registers, "complete">): Promise<boolean> {
    const before = this.#count;
    const names = new Set<string>();
    this.#missed.forEach((missed, place) => {
      if (this.primaries.all[place]?.up) for (const name of [...missed].slice(0, AT_ONCE)) names.add(name);
    });
    await Promise.all([...names].map((name) => this.#complete(name, registers)));
    return names.size >= AT_ONCE && this.#count < before;
  }

  get #count(): number {
    return this.#missed.reduce((sum, { size }) => sum + size, 0);
  }

  async #complete(name: string, registers: Pick<Registers, "complete">): Promise<void> {
    const lacking = await registers.complete(name);
    this.#missed.forEach((missed, place) => {
      if (lacking.includes(place) || !missed.delete(name) || missed.size > 0) return;
      this.#sinceMs[place] = null;
    });
  }
}

/** Per primary: some 2 MB. */
const MISSED_MAX = 10_000;
const AT_ONCE = 50;
