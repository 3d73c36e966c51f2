import { describe, expect, test } from "vitest";
import { type Rate, Rates, rateLimitFields } from "../../src/access/rates.js";
import { FakeClock } from "../helpers/fake-clock.js";

function setUp(bucketsMax?: number) {
  const clock = new FakeClock();
  return { clock, rates: new Rates(clock, bucketsMax) };
}

const TEN = { requestsPerSecond: 10 };

describe("requests a second", () => {
  test("without a limit are not counted", () => {
    const { rates } = setUp();
    expect(rates.take("a", "default", {})).toBeUndefined();
    expect(rates.size).toBe(0);
  });

  test("are refused beyond the limit, with when to come again, and let through then", async () => {
    const { clock, rates } = setUp();
    const taken = Array.from({ length: 12 }, () => rates.take("a", "default", TEN) as Rate);
    expect(taken.filter(({ allowed }) => allowed)).toHaveLength(10);
    expect(taken[0]).toEqual({
      allowed: true,
      quota: 10,
      windowS: 1,
      remaining: 9,
      resetS: 1,
      retryAfterMs: 0,
    });
    expect(taken[11]).toEqual({
      allowed: false,
      quota: 10,
      windowS: 1,
      remaining: 0,
      resetS: 1,
      retryAfterMs: 100,
    });
    await clock.advance(100);
    expect(rates.take("a", "default", TEN)?.allowed).toBe(true);
    expect(rates.take("a", "default", TEN)?.allowed).toBe(false);
  });

  test("of a key in one namespace take nothing from those in another, nor from another key", () => {
    const { rates } = setUp();
    for (let i = 0; i < 11; i++) rates.take("a", "one", TEN);
    expect(rates.take("a", "one", TEN)?.allowed).toBe(false);
    expect(rates.take("a", "two", TEN)?.allowed).toBe(true);
    expect(rates.take("b", "one", TEN)?.allowed).toBe(true);
    // Two that would be one if they were joined carelessly.
    for (let i = 0; i < 11; i++) rates.take("b c", "a", TEN);
    expect(rates.take("c", "a b", TEN)?.allowed).toBe(true);
  });

  test("may come in a burst of several seconds", () => {
    const { rates } = setUp();
    const limits = { requestsPerSecond: 10, burstSeconds: 3 };
    const taken = Array.from({ length: 31 }, () => rates.take("a", "default", limits) as Rate);
    expect(taken.filter(({ allowed }) => allowed)).toHaveLength(30);
    expect(taken[0]).toMatchObject({ quota: 30, windowS: 3 });
    expect(taken[30]).toMatchObject({ resetS: 3, retryAfterMs: 100 });
  });

  test("follow a limit that is changed in the keys file", () => {
    const { rates } = setUp();
    for (let i = 0; i < 10; i++) rates.take("a", "default", TEN);
    expect(rates.take("a", "default", { requestsPerSecond: 100 })?.allowed).toBe(false);
    expect(rates.take("a", "default", { requestsPerSecond: 100, burstSeconds: 2 })?.allowed).toBe(true);
  });

  test("of a flood of keys take up bounded memory, and those that are in use keep their count", () => {
    const { rates } = setUp(1_000);
    for (let i = 0; i < 10; i++) rates.take("busy", "default", TEN);
    for (let i = 0; i < 100_000; i++) {
      rates.take(`key-${i}`, "default", TEN);
      if (i % 100 !== 0) continue;
      expect(rates.take("busy", "default", TEN)?.allowed).toBe(false);
      expect(rates.size).toBeLessThanOrEqual(1_000);
    }
  });

  test("that have come back take up no memory once others come", async () => {
    const { clock, rates } = setUp();
    for (let i = 0; i < 1_000; i++) rates.take(`key-${i}`, "default", TEN);
    await clock.advance(2_000);
    for (let i = 0; i < 300; i++) rates.take(`other-${i}`, "default", TEN);
    expect(rates.size).toBeLessThan(500);
  });
});

test("the fields are those of the draft", () => {
  const rate = { allowed: true, quota: 100, windowS: 1, remaining: 50, resetS: 1, retryAfterMs: 0 };
  expect(rateLimitFields(rate)).toEqual({
    "ratelimit-policy": '"default";q=100;w=1',
    ratelimit: '"default";r=50;t=1',
  });
});
