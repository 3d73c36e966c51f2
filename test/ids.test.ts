import { expect, test } from "vitest";
import { madeHere, systemIds } from "../src/ids.js";

test("a leaseId made here has 128 random bits, can be sent back, and is known as made here", () => {
  const made = Array.from({ length: 1_000 }, () => systemIds.leaseId());
  expect(new Set(made).size).toBe(made.length);
  for (const leaseId of made) {
    expect(leaseId).toMatch(/^q-[A-Za-z0-9_-]{22}$/);
    expect(madeHere(leaseId)).toBe(true);
  }
});

test.each([
  "q-short",
  "q-",
  "",
  "x-0123456789012345678901",
  "q-012345678901234567890123",
  "0123456789012345678901",
])("%o was not made here", (leaseId) => {
  expect(madeHere(leaseId)).toBe(false);
});

test("a memberKey has 128 random bits, as the API takes it", () => {
  const made = Array.from({ length: 1_000 }, () => systemIds.memberKey());
  expect(new Set(made).size).toBe(made.length);
  for (const memberKey of made) expect(memberKey).toMatch(/^[A-Za-z0-9_-]{22}$/);
});

test("nonces do not repeat, and fit into a request id", () => {
  const made = Array.from({ length: 1_000 }, () => systemIds.nonce());
  expect(new Set(made).size).toBe(made.length);
  for (const nonce of made) expect(nonce).toMatch(/^[A-Za-z0-9_-]{16}$/);
});
