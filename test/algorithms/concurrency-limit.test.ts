import { describe, expect, test } from "vitest";
import {
  ConcurrencyLimit,
  LIMIT_MAX,
  LIMIT_MIN,
  type Measured,
} from "../../src/algorithms/concurrency-limit.js";

const QUIET: Measured = { loopDelayMs: 1, primariesMs: 1, binding: false };

function limitAfter(windows: number, measured: Measured, limit = new ConcurrencyLimit()): number {
  for (let i = 0; i < windows; i++) limit.adjust(measured);
  return limit.value;
}

describe("the limit", () => {
  const first = new ConcurrencyLimit().value;

  test.each([
    ["nothing binds", QUIET, (value: number) => value === first],
    ["it binds and nothing is late", { ...QUIET, binding: true }, (value: number) => value > first],
    [
      "the event loop is late",
      { ...QUIET, loopDelayMs: 90, binding: true },
      (value: number) => value < first,
    ],
    [
      "nobody asks the primaries, and it binds",
      { ...QUIET, primariesMs: null, binding: true },
      (value: number) => value > first,
    ],
  ])("where %s", (_, measured, is) => {
    expect(is(limitAfter(1, measured))).toBe(true);
  });

  test("falls when the primaries get slower than they were", () => {
    const limit = new ConcurrencyLimit();
    limitAfter(5, QUIET, limit);
    expect(limitAfter(1, { ...QUIET, primariesMs: 60, binding: true }, limit)).toBeLessThan(first);
  });

  test("does not fall since the primaries are far away", () => {
    expect(limitAfter(50, { ...QUIET, primariesMs: 80, binding: true })).toBe(LIMIT_MAX);
  });

  test("learns that they have moved away while it does not bind, and not while it does: that is its own queue", () => {
    const moved = new ConcurrencyLimit();
    limitAfter(5, QUIET, moved);
    limitAfter(50, { ...QUIET, primariesMs: 80 }, moved);
    expect(limitAfter(20, { ...QUIET, primariesMs: 80, binding: true }, moved)).toBeGreaterThan(first);

    const loaded = new ConcurrencyLimit();
    limitAfter(5, QUIET, loaded);
    expect(limitAfter(1_000, { ...QUIET, primariesMs: 80, binding: true }, loaded)).toBe(LIMIT_MIN);
  });

  test("is never below its least nor above its most, and one window does not halve it", () => {
    expect(limitAfter(1, { ...QUIET, loopDelayMs: 10_000 })).toBeGreaterThan(first / 2);
    expect(limitAfter(100, { ...QUIET, loopDelayMs: 10_000, primariesMs: 10_000, binding: true })).toBe(
      LIMIT_MIN,
    );
    expect(limitAfter(1_000, { ...QUIET, binding: true })).toBe(LIMIT_MAX);
  });
});
