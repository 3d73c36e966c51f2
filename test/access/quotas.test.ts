import { describe, expect, test } from "vitest";
import { Grants } from "../../src/access/grants.js";
import type { Limits } from "../../src/access/grants-schema.js";
import { Quotas } from "../../src/access/quotas.js";
import { FakeClock } from "../helpers/fake-clock.js";

const key = (id: string, limits: Limits) => ({ id, limits, grants: new Grants([]) });
const A = key("a", { leases: 2, members: 1 });
const B = key("b", { leases: 2 });
const FREE = key("free", {});

function setUp(liveMax?: number) {
  const clock = new FakeClock();
  const quotas = new Quotas(clock, liveMax);
  /** Whether one more came to be. */
  const begin = (principal = A, id = "1", namespace = "n", what: "leases" | "members" = "leases") => {
    const reservation = quotas.reserve(principal, namespace, what, id);
    reservation?.take(id, 10_000);
    reservation?.close();
    return reservation !== undefined;
  };
  return { clock, quotas, begin };
}

describe("the quota of a key", () => {
  test("lets as many live as it states, in each namespace, of each kind", () => {
    const { begin } = setUp();
    expect([begin(A, "1"), begin(A, "2"), begin(A, "3")]).toEqual([true, true, false]);
    expect([begin(A, "3", "other"), begin(B, "3"), begin(A, "x", "n", "members")]).toEqual([
      true,
      true,
      true,
    ]);
    expect(begin(A, "y", "n", "members")).toBe(false);
  });

  test("has room again when one has ended or its time is over, and not while it is extended", async () => {
    const { clock, quotas, begin } = setUp();
    begin(A, "1");
    begin(A, "2");
    quotas.end("n", "leases", "1");
    expect([begin(A, "3"), begin(A, "4")]).toEqual([true, false]);
    await clock.advance(9_000);
    quotas.extend(A, "n", "leases", "3", 10_000);
    await clock.advance(2_000);
    expect([begin(A, "4"), begin(A, "5")]).toEqual([true, false]);
  });

  test("takes no more room for a lease that lives already", () => {
    const { begin } = setUp();
    begin(A, "1");
    begin(A, "2");
    expect([begin(A, "2"), begin(A, "3")]).toEqual([true, false]);
  });

  test("counts requests under way: simultaneous ones do not exceed it", () => {
    const { quotas } = setUp();
    const [one, two, three] = [1, 2, 3].map(() => quotas.reserve(A, "n", "leases"));
    expect([one, two, three].map((each) => each !== undefined)).toEqual([true, true, false]);
    one?.close();
    two?.take("2", 10_000);
    two?.close();
    expect([1, 2].map(() => quotas.reserve(A, "n", "leases") !== undefined)).toEqual([true, false]);
  });

  test("takes no memory for keys without one, nor for what has ended", async () => {
    const { clock, quotas, begin } = setUp();
    for (let i = 0; i < 1_000; i++) begin(FREE, `${i}`);
    expect(quotas.size).toBe(0);
    begin(A, "1");
    expect(quotas.size).toBe(1);
    await clock.advance(11_000);
    begin(B, "2");
    expect(quotas.size).toBe(1);
  });

  test("is not used up by the leases of others, however many there are", () => {
    const { quotas, begin } = setUp(1_000);
    const greedy = key("greedy", { leases: 1_000_000 });
    for (let i = 0; i < 1_000_000; i++) begin(greedy, `${i}`, `namespace-${i % 1_000}`);
    expect(quotas.size).toBe(1_000);
    expect([begin(A, "a"), begin(A, "b")]).toEqual([true, true]);
  });
});
