import fc from "fast-check";
import { expect, test } from "vitest";
import { take } from "../../src/algorithms/token-bucket.js";

/** Takes at each of these times; how many were allowed. */
function allowedAt(times: readonly number[], perSecond: number, burst: number): number {
  let fullAtMs = 0;
  let allowed = 0;
  for (const nowMs of times) {
    const taken = take({ perSecond, burst }, fullAtMs, nowMs);
    fullAtMs = taken.fullAtMs;
    if (taken.allowed) allowed++;
  }
  return allowed;
}

test("a full bucket lets through its burst, and then no more", () => {
  expect(allowedAt(Array(150).fill(0), 100, 100)).toBe(100);
  expect(allowedAt(Array(150).fill(0), 3, 3)).toBe(3);
});

test("tokens come back one by one, at the rate", () => {
  let fullAtMs = 0;
  for (let i = 0; i < 10; i++) fullAtMs = take({ perSecond: 10, burst: 10 }, fullAtMs, 0).fullAtMs;
  const empty = take({ perSecond: 10, burst: 10 }, fullAtMs, 0);
  expect(empty).toMatchObject({ allowed: false, remaining: 0, fullAtMs });
  expect(empty.retryAfterMs).toBeCloseTo(100);
  expect(take({ perSecond: 10, burst: 10 }, fullAtMs, 99).allowed).toBe(false);
  expect(take({ perSecond: 10, burst: 10 }, fullAtMs, 100)).toMatchObject({ allowed: true, remaining: 0 });
});

test("at the border of two seconds not twice as many get through", () => {
  const times = [...Array(100).fill(999), ...Array(100).fill(1_001)];
  expect(allowedAt(times, 100, 100)).toBe(100);
});

test("in any time t at most burst + rate * t get through, and a refused request costs nothing", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(2_000), { maxLength: 200 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      (gaps, perSecond, burst) => {
        let nowMs = 0;
        const times = gaps.map((gap) => (nowMs += gap / 20));
        // The same in tokens, counted one by one.
        let tokens = burst;
        let lastMs = 0;
        let expected = 0;
        for (const atMs of times) {
          tokens = Math.min(burst, tokens + ((atMs - lastMs) * perSecond) / 1_000);
          lastMs = atMs;
          if (tokens < 1 - 1e-9) continue;
          tokens -= 1;
          expected++;
        }
        expect(allowedAt(times, perSecond, burst)).toBe(expected);
        expect(expected).toBeLessThanOrEqual(burst + (perSecond * nowMs) / 1_000 + 1e-6);
      },
    ),
    { numRuns: 500 },
  );
});
