import { expect, test } from "vitest";
import { keyedOf } from "../../../src/primitives/registers/keyed.js";

test("an idempotency key and its request are kept as digests of 128 bits, however long they are", () => {
  const { key, body } = keyedOf("x".repeat(255), "put", "y".repeat(65_536), 60_000);
  expect([key, body]).toEqual([expect.stringMatching(DIGEST), expect.stringMatching(DIGEST)]);
  expect(keyedOf("x".repeat(255), "put", "y".repeat(65_536), 60_000)).toEqual({ key, body });
});

test("other requests have other digests, also where their parts are the same text when joined", () => {
  const asked = [
    ["put", "1", null],
    ["put", "1", 1],
    ["put1", null],
    ["put", "1null"],
    ["delete"],
    ["put", '1",null'],
  ];
  expect(new Set(asked.map((one) => keyedOf("k", ...one).body)).size).toBe(asked.length);
});

const DIGEST = /^[\w-]{22}$/;
