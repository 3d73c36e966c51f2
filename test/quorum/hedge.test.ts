import { expect, test } from "vitest";
import { Hedge } from "../../src/quorum/hedge.js";
import { FakeClock } from "../helpers/fake-clock.js";

test("runs each task once, 20 ms after it was given", async () => {
  const clock = new FakeClock();
  const hedge = new Hedge(clock);
  const run: string[] = [];
  hedge.give(() => run.push("one"));
  await clock.advance(15);
  hedge.give(() => run.push("two"));
  await clock.advance(4);
  expect(run).toEqual([]);
  await clock.advance(1);
  expect(run).toEqual(["one"]);
  await clock.advance(14);
  expect(run).toEqual(["one"]);
  await clock.advance(1);
  expect(run).toEqual(["one", "two"]);
  expect(clock.pending, "no timer is left").toBe(0);
});

test("does not run what was taken back, also during the task before it", async () => {
  const clock = new FakeClock();
  const hedge = new Hedge(clock);
  const run: string[] = [];
  const first = hedge.give(() => run.push("one"));
  hedge.give(() => {
    run.push("two");
    hedge.takeBack(third);
  });
  const third = hedge.give(() => run.push("three"));
  hedge.takeBack(first);
  hedge.takeBack(first);
  await clock.advance(100);
  expect(run).toEqual(["two"]);
});

test("has one timer for all, and none once nothing waits", async () => {
  const clock = new FakeClock();
  const hedge = new Hedge(clock);
  const all = Array.from({ length: 100 }, () => hedge.give(() => {}));
  expect(clock.pending).toBe(1);
  for (const one of all) hedge.takeBack(one);
  await clock.advance(20);
  expect(clock.pending).toBe(0);
});
