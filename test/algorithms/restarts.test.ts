import { expect, test } from "vitest";
import { Restarts } from "../../src/algorithms/restarts.js";

test("each restart is twice as late as the one before, up to ten seconds", () => {
  const restarts = new Restarts();
  const delays = Array.from({ length: 9 }, () => restarts.nextDelayMs(0));
  expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
});

test("a minute of health makes the next one early again; less does not", () => {
  const restarts = new Restarts();
  for (let i = 0; i < 5; i++) restarts.nextDelayMs(0);
  expect(restarts.nextDelayMs(59_999)).toBe(3_200);
  expect(restarts.nextDelayMs(60_000)).toBe(100);
  expect(restarts.nextDelayMs(0)).toBe(200);
});

test("thousands of failures do not overflow the delay", () => {
  const restarts = new Restarts();
  for (let i = 0; i < 5_000; i++) restarts.nextDelayMs(0);
  expect(restarts.nextDelayMs(0)).toBe(10_000);
});
