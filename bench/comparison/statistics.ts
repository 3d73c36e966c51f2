/** The median; of an even number of values the mean of the two in the middle. NaN without values. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** The smallest value that at least the share `q` of all values does not exceed. NaN without values. */
export function quantile(values: readonly number[], q: number): number {
  return quantileOf(ascending(values), q);
}

/** Median and spread of the values of all rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** In the order of the rounds. */
  readonly rounds: readonly number[];
}

export function spread(rounds: readonly number[]): Spread {
  const sorted = ascending(rounds);
  return { median: median(rounds), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN, rounds };
}

/** Latencies of one turn, ms. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

export function latency(timesMs: readonly number[]): Latency {
  const sorted = ascending(timesMs);
  return {
    p50Ms: quantileOf(sorted, 0.5),
    p99Ms: quantileOf(sorted, 0.99),
    p999Ms: quantileOf(sorted, 0.999),
  };
}

function quantileOf(sorted: ArrayLike<number>, q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

// A typed array sorts numbers without a comparison function, and many times faster.
function ascending(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}
