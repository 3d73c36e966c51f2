import { expect, test } from "vitest";
import { Usage } from "../../src/access/usage.js";

test("as many are let in as the limit says, and one more for each that leaves", () => {
  const usage = new Usage();
  const leave = usage.enter("a", "default", "waiting", 2);
  expect(usage.enter("a", "default", "waiting", 2)).toBeDefined();
  expect(usage.enter("a", "default", "waiting", 2)).toBeUndefined();
  leave?.();
  leave?.();
  expect(usage.count("a", "default", "waiting")).toBe(1);
  expect(usage.enter("a", "default", "waiting", 2)).toBeDefined();
  expect(usage.enter("a", "default", "waiting", 2)).toBeUndefined();
});

test("what waits and what streams, keys and namespaces, are counted for themselves", () => {
  const usage = new Usage();
  expect(usage.enter("a", "one", "waiting", 1)).toBeDefined();
  expect(usage.enter("a", "one", "streams", 1)).toBeDefined();
  expect(usage.enter("a", "two", "waiting", 1)).toBeDefined();
  expect(usage.enter("b", "one", "waiting", 1)).toBeDefined();
  expect(usage.enter("a", "one", "waiting", 1)).toBeUndefined();
});

test("without a limit they are counted only", () => {
  const usage = new Usage();
  for (let i = 0; i < 1_000; i++) usage.enter("a", "default", "streams", undefined);
  expect(usage.count("a", "default", "streams")).toBe(1_000);
});

test("keys with nothing under way take up no memory", () => {
  const usage = new Usage();
  for (let i = 0; i < 1_000; i++) usage.enter(`key-${i}`, "default", "waiting", 1)?.();
  expect(usage.size).toBe(0);
});
