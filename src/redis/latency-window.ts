/** The latest latencies, in ms, for their quantiles. */
export class LatencyWindow {
  readonly #values = new Float64Array(SIZE);
  #count = 0;
  #recent = 0;

  /** What calls take now, more or less: a mean of the latest; 0: there were none. */
  get recentMs(): number {
    return this.#recent;
  }

  add(ms: number): void {
    this.#recent += (ms - this.#recent) / WEIGHT;
    this.#values[this.#count++ % SIZE] = ms;
  }

  /** The value below which the share `q` (0 to 1) of the window lies, to the microsecond; null while it is empty. */
  quantile(q: number): number | null {
    const size = Math.min(this.#count, SIZE);
    if (size === 0) return null;
    const sorted = this.#values.slice(0, size).sort();
    const value = sorted[Math.min(size - 1, Math.floor(q * size))] ?? 0;
    return Math.round(value * 1000) / 1000;
  }
}

const SIZE = 512;
/** In how many calls the mean follows. */
const WEIGHT = 16;
