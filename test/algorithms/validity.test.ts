import { expect, test } from "vitest";
import { earliestMs, validForMs } from "../../src/algorithms/validity.js";

test.each([
  { ttlMs: 10_000, elapsedMs: 0, left: 9_898, why: "1 % of drift and 2 ms are taken off" },
  { ttlMs: 10_000, elapsedMs: 5, left: 9_893, why: "and the time that the attempt took" },
  { ttlMs: 10_000, elapsedMs: 4.2, left: 9_893, why: "a fraction counts as a whole ms, against the holder" },
  { ttlMs: 100, elapsedMs: 0, left: 97, why: "of a short lease too" },
  { ttlMs: 100, elapsedMs: 97, left: 0, why: "nothing is left" },
  { ttlMs: 100, elapsedMs: 250, left: -153, why: "it ended before the attempt did" },
])("$ttlMs ms after $elapsedMs ms leave $left: $why", ({ ttlMs, elapsedMs, left }) => {
  expect(validForMs(ttlMs, elapsedMs)).toBe(left);
});

test.each([
  { laterMs: 0, earliest: 5_000, why: "the reading itself may be as old as its question" },
  { laterMs: 1_000, earliest: 5_990, why: "a server's clock may run fast: less time has passed" },
  { laterMs: -1_000, earliest: 3_990, why: "or slow: it was longer ago" },
])(
  "what a server's clock showed $laterMs ms after its reading was $earliest ms at the earliest: $why",
  (one) => {
    const reading = { askedMs: 5_000, serverMicros: 1_795_238_812_574_002 };
    const at = reading.serverMicros + one.laterMs * 1000;
    expect(earliestMs(reading, at)).toBeCloseTo(one.earliest, 3);
  },
);
