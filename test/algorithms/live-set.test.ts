import { describe, expect, test } from "vitest";
import { LiveSet } from "../../src/algorithms/live-set.js";

describe("a set of what lives until a deadline", () => {
  test("counts by group what has neither ended nor been removed", () => {
    const set = new LiveSet(10);
    set.put("one", "a", 5_000, 0);
    set.put("two", "a", 9_000, 0);
    set.put("three", "b", 9_000, 0);
    expect([set.count("a", 4_999), set.count("b", 4_999), set.count("c", 4_999)]).toEqual([2, 1, 0]);
    expect(set.count("a", 5_000)).toBe(1);
    set.remove("two");
    set.remove("two");
    expect([set.count("a", 5_000), set.count("b", 5_000), set.size]).toEqual([0, 1, 1]);
  });

  test("rounds a deadline up to whole seconds: nothing is dropped while it lives", () => {
    const set = new LiveSet(10);
    set.put("one", "a", 5_001, 0);
    expect([set.count("a", 5_999), set.count("a", 6_000)]).toEqual([1, 0]);
  });

  test("extends an entry, never shortens it, and moves it where its group has changed", () => {
    const set = new LiveSet(10);
    set.put("one", "a", 5_000, 0);
    set.put("one", "a", 9_000, 0);
    set.put("one", "a", 2_000, 0);
    expect([set.has("one", 8_000), set.count("a", 8_000)]).toEqual([true, 1]);
    set.put("one", "b", 10_000, 8_000);
    expect([set.count("a", 8_000), set.count("b", 8_000), set.size]).toEqual([0, 1, 1]);
    expect(set.has("one", 10_000)).toBe(false);
  });

  test("has room again after time without any call", () => {
    const set = new LiveSet(2);
    expect([set.put("one", "a", 500, 0), set.put("two", "a", 1_500, 0)]).toEqual([true, true]);
    expect(set.put("three", "a", 9_000, 900)).toBe(false);
    expect(set.put("one", "a", 9_000, 900)).toBe(true);
    expect(set.put("three", "a", 9e9, 8e9)).toBe(true);
    expect(set.size).toBe(1);
  });

  test("keeps nothing of a million entries that have ended, nor more than its capacity before", () => {
    const set = new LiveSet(1_000);
    for (let i = 0; i < 1_000_000; i++) set.put(`id-${i}`, `group-${i}`, 10_000 + (i % 60) * 1_000, 0);
    expect(set.size).toBe(1_000);
    expect(set.count("group-7", 100_000)).toBe(0);
    expect(set.size).toBe(0);
  });
});
