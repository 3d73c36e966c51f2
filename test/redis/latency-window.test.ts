import { expect, test } from "vitest";
import { LatencyWindow } from "../../src/redis/latency-window.js";

test("an empty window knows nothing", () => {
  expect(new LatencyWindow().quantile(0.5)).toBeNull();
});

test("a quantile is the value that its share lies below", () => {
  const window = new LatencyWindow();
  for (let ms = 100; ms >= 1; ms--) window.add(ms);
  expect(window.quantile(0)).toBe(1);
  expect(window.quantile(0.5)).toBe(51);
  expect(window.quantile(0.99)).toBe(100);
  expect(window.quantile(1)).toBe(100);
});

test("it is rounded to the microsecond", () => {
  const window = new LatencyWindow();
  window.add(0.123456);
  expect(window.quantile(0.5)).toBe(0.123);
});

test("only the latest values count", () => {
  const window = new LatencyWindow();
  for (let i = 0; i < 1_000; i++) window.add(1_000);
  for (let i = 0; i < 512; i++) window.add(1);
  expect(window.quantile(1)).toBe(1);
});

test("its mean follows the latest calls within some dozen of them", () => {
  const window = new LatencyWindow();
  expect(window.recentMs).toBe(0);
  for (let i = 0; i < 64; i++) window.add(10);
  expect(window.recentMs).toBeGreaterThan(9);
  for (let i = 0; i < 64; i++) window.add(1);
  expect(window.recentMs).toBeLessThan(2);
});
