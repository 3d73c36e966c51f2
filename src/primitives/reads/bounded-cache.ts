import type { Clock } from "../../clock.js";

/** Bounds of a cache, of values that can be obtained again: by number, by size and by age. */
export interface CacheBounds {
  readonly countMax: number;
  /** Of all values together, in the unit of the sizes that `set` is given. */
  readonly sizeMax: number;
  /** A value that was not used for this time is dropped, whether anything is asked for or not. */
  readonly unusedMsMax: number;
}

/** Values by name. If there are too many, or they are too large together, the least recently used are dropped first. */
export class BoundedCache<V> {
  /** The least recently used first. */
  readonly #entries = new Map<string, { readonly value: V; readonly size: number; usedAtMs: number }>();
  /** The most recently used. */
  #latest: string | null = null;
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
    if (name !== this.#latest) {
      this.#entries.delete(name);
      this.#entries.set(name, entry);
      this.#latest = name;
    }
    entry.usedAtMs = this.clock.monotonicMs();
    return entry.value;
  }

  /** A value that alone is too large is not kept. */
  set(name: string, value: V, size: number): void {
    this.delete(name);
    if (size > this.bounds.sizeMax) return;
    this.#entries.set(name, { value, size, usedAtMs: this.clock.monotonicMs() });
    this.#latest = name;
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

  /** One timer for all values, and none while there are none. */
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

/** With many values of different ages, sweeping for each of them would cost more than it frees. */
const SWEEP_INTERVAL_MS_MIN = 50;
