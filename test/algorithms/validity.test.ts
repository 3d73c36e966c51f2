import { expect, test } from "vitest";
import { validForMs } from "../../src/algorithms/validity.js";

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
