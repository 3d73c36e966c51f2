import fc from "fast-check";
import { expect, test } from "vitest";
import { fullJitterMs } from "../../src/algorithms/backoff.js";

test.each([
  { attempt: 0, random: 0.5, ms: 2 },
  { attempt: 1, random: 0.5, ms: 4 },
  { attempt: 2, random: 0.5, ms: 8 },
  { attempt: 3, random: 0.5, ms: 16 },
  { attempt: 4, random: 0.5, ms: 20 },
  { attempt: 2_000, random: 0.5, ms: 20 },
  { attempt: 3, random: 0, ms: 0 },
])("attempt $attempt at chance $random waits $ms ms of at most 40", ({ attempt, random, ms }) => {
  expect(fullJitterMs(attempt, 4, 40, random)).toBe(ms);
});

test("the delay is spread over the whole step, and never beyond the cap", () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(
      fc.nat(100),
      fc.integer({ min: 1, max: 100 }),
      fc.nat(1_000),
      chance,
      (attempt, base, cap, random) => {
        const step = Math.min(cap, base * 2 ** attempt);
        expect(fullJitterMs(attempt, base, cap, random)).toBeCloseTo(random * step);
      },
    ),
  );
});
