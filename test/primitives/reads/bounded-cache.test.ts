import { beforeEach, expect, test } from "vitest";
import { BoundedCache } from "../../../src/primitives/reads/bounded-cache.js";
import { FakeClock } from "../../helpers/fake-clock.js";

const BOUNDS = { countMax: 3, sizeMax: 100, unusedMsMax: 1_000 };

let clock: FakeClock;
let kept: BoundedCache<string>;
beforeEach(() => {
  clock = new FakeClock();
  kept = new BoundedCache(clock, BOUNDS);
});

const names = (...all: string[]) => all.filter((name) => kept.get(name) !== undefined);

test("of too many values the least recently used goes", () => {
  for (const name of ["a", "b", "c"]) kept.set(name, name, 1);
  kept.get("a");
  kept.set("d", "d", 1);
  expect(names("a", "b", "c", "d")).toEqual(["a", "c", "d"]);
  expect(kept.count).toBe(3);
});

test("of values that are too large together as many go as must", () => {
  kept.set("a", "a", 40);
  kept.set("b", "b", 40);
  kept.set("c", "c", 61);
  expect(names("a", "b", "c")).toEqual(["c"]);
  kept.set("d", "d", 39);
  expect(names("c", "d")).toEqual(["c", "d"]);
  expect(kept.size).toBe(100);
});

test("a value that is too large alone is not kept, nor the one whose place it took", () => {
  kept.set("a", "a", 1);
  kept.set("b", "b", 1);
  kept.set("a", "larger", 101);
  expect(names("a", "b")).toEqual(["b"]);
  expect(kept.size).toBe(1);
});

test("a value goes once it was not used for the time, and one that is used stays", async () => {
  kept.set("a", "a", 1);
  kept.set("b", "b", 1);
  for (let i = 0; i < 4; i++) {
    await clock.advance(900);
    expect(kept.get("b")).toBe("b");
  }
  expect(kept.count).toBe(1);
  await clock.advance(1_100);
  expect([kept.count, kept.size]).toEqual([0, 0]);
});

test("there is one timer for all values, and none when there are none", async () => {
  const many = new BoundedCache<number>(clock, { ...BOUNDS, countMax: 1_000, sizeMax: 1_000 });
  for (let i = 0; i < 500; i++) {
    many.set(`${i}`, i, 1);
    await clock.advance(1);
    expect(clock.pending).toBeLessThanOrEqual(1);
  }
  await clock.advance(2_000);
  expect([many.count, clock.pending]).toEqual([0, 0]);
});

test("the same name set again and again counts once", () => {
  for (let i = 0; i < 50; i++) kept.set("a", `${i}`, 30);
  expect([kept.count, kept.size, kept.get("a")]).toEqual([1, 30, "49"]);
  kept.delete("a");
  kept.delete("a");
  expect([kept.count, kept.size]).toEqual([0, 0]);
});
