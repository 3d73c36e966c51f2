import type { Clock } from "../../clock.js";

/** What is kept of something that can be had again: bounded by number, by size and by age. */
export interface CacheBounds {
  readonly countMax: number;
  /** Of all values together, in the unit in which `set` is told the size of one. */
  readonly sizeMax: number;
  /** A value that was not used for as long goes, whether anything is asked or not. */
  readonly unusedMsMax: number;
}

/** Values by name. Where there are too many, or they are too large together, the least recently used go first. */
export class BoundedCache<V> {
  /** The least recently used first. */
  readonly #entries = new Map<string, { readonly value: V; readonly size: number; usedAtMs: number }>();
  #size = 0;
  #timed = false;

  constructor(
    private readonly clock: Clock,
    private readonly bounds: CacheBounds,
  ) {}

  get count(): number {
    return this.#entries.size;
  }

  get size(): number {
    return this.#size;
  }

  /** Counts as a use. */
  get(name: string): V | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    entry.usedAtMs = this.clock.monotonicMs();
    return entry.value;
  }

  /** One that is too large even alone is not kept. */
  set(name: string, value: V, size: number): void {
    this.delete(name);
    if (size > this.bounds.sizeMax) return;
    this.#entries.set(name, { value, size, usedAtMs: this.clock.monotonicMs() });
    this.#size += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.bounds.countMax && this.#size <= this.bounds.sizeMax) break;
      this.delete(oldest);
    }
    this.#sweepLater(this.bounds.unusedMsMax);
  }

  delete(name: string): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#entries.delete(name);
    this.#size -= entry.size;
  }

  /** One timer for all of them, and none while there is nothing to keep. */
  #sweepLater(ms: number): void {
    if (this.#timed) return;
    this.#timed = true;
    this.clock.after(ms, () => {
      this.#timed = false;
      this.#sweep();
    });
  }

  #sweep(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [name, { usedAtMs }] of this.#entries) {
      const leftMs = usedAtMs + this.bounds.unusedMsMax - nowMs;
      if (leftMs > 0) {
        this.#sweepLater(Math.max(leftMs, SWEEP_INTERVAL_MS_MIN));
        break;
      }
      this.delete(name);
    }
  }
}

/** Where many values of different ages are kept, a timer for each would be no better than one that is seldom. */
const SWEEP_INTERVAL_MS_MIN = 50;
