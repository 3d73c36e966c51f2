import { expect } from "vitest";

/** Evenly in [0, 1), the same for the same seed: mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Holds counts against the chances that they should have: Pearson's chi-square, beyond which a right distribution is by
 * chance once in a thousand times. Source of the quantile: Wilson and Hilferty.
 */
export function expectChances(counts: readonly number[], chances: readonly number[]): void {
  expect(chiSquare(counts, chances)).toBeLessThan(quantile(counts.length - 1));
}

/** That counts do not have these chances: there the same check would fail. */
export function expectOtherChances(counts: readonly number[], chances: readonly number[]): void {
  expect(chiSquare(counts, chances)).toBeGreaterThan(quantile(counts.length - 1));
}

function chiSquare(counts: readonly number[], chances: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const all = chances.reduce((sum, chance) => sum + chance, 0);
  return counts.reduce((sum, count, i) => {
    const expected = (total * (chances[i] as number)) / all;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

const NORMAL_999 = 3.0902;

function quantile(degrees: number): number {
  const variance = 2 / (9 * degrees);
  return degrees * (1 - variance + NORMAL_999 * Math.sqrt(variance)) ** 3;
}
