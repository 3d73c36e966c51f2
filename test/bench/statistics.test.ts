import { describe, expect, it } from "vitest";
import { latency, median, quantile, spread } from "../../bench/comparison/statistics.js";

describe("the statistics of a bench", () => {
  it.each([
    { values: [3, 1, 2], is: 2 },
    { values: [4, 1, 3, 2], is: 2.5 },
    { values: [7], is: 7 },
    { values: [10, 9, 100], is: 10 },
  ])("the median of $values is $is", ({ values, is }) => {
    expect(median(values)).toBe(is);
  });

  it("a quantile is a value that occurred, and at least the share of all is not above it", () => {
    const values = Array.from({ length: 1_000 }, (_, i) => 1_000 - i);
    expect([0, 0.5, 0.99, 0.999, 1].map((q) => quantile(values, q))).toEqual([1, 500, 990, 999, 1_000]);
  });

  it("without values there is no median and no quantile", () => {
    expect([median([]), quantile([], 0.5)]).toEqual([Number.NaN, Number.NaN]);
  });

  it("a spread has the extremes, and the rounds in their order", () => {
    expect(spread([2, 9, 1])).toEqual({ median: 2, min: 1, max: 9, rounds: [2, 9, 1] });
  });

  it("the latencies of a turn are its percentiles, sorted as numbers", () => {
    const timesMs = Array.from({ length: 2_000 }, (_, i) => i + 1);
    expect(latency(timesMs)).toEqual({ p50Ms: 1_000, p99Ms: 1_980, p999Ms: 1_998 });
  });
});
