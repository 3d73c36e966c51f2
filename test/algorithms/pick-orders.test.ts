import { describe, expect, test } from "vitest";
import { sumsOf } from "../../src/algorithms/pick-draws.js";
import {
  atRandom,
  busyLast,
  byHash,
  byWeight,
  firstOf,
  inTurn,
  lessBusyOfTwo,
  without,
} from "../../src/algorithms/pick-orders.js";
import { expectChances, expectOtherChances, randomOf } from "../helpers/chance.js";

const named = (...ids: string[]) => ids.map((id) => ({ id }));
const idsOf = (order: Iterable<{ id: string }>) => [...order].map(({ id }) => id).join("");
const FIVE = named("a", "b", "c", "d", "e");

/** How often each member was the first. */
function firsts(rounds: number, order: () => Iterable<{ id: string }>): number[] {
  const counts = new Map(FIVE.map(({ id }) => [id, 0]));
  for (let round = 0; round < rounds; round++) {
    const [first] = firstOf(order(), 1);
    counts.set(first?.id ?? "", (counts.get(first?.id ?? "") ?? 0) + 1);
  }
  return [...counts.values()];
}

describe("in turn", () => {
  test.each([
    ["", "abcde"],
    ["a", "bcdea"],
    ["c", "deabc"],
    ["e", "abcde"],
    ["bb", "cdeab"],
    ["zz", "abcde"],
  ])("after %j it is the turn of %s", (last, order) => {
    expect(idsOf(inTurn(FIVE, last))).toBe(order);
  });

  test("nobody has two turns while another has none, even if members come and go", () => {
    let last = "";
    const turns = [FIVE, FIVE, named("a", "c", "d"), named("a", "c", "cc", "d"), FIVE, FIVE].map(
      (members) => {
        last = firstOf(inTurn(members, last), 1)[0]?.id ?? "";
        return last;
      },
    );
    expect(turns).toEqual(["a", "b", "c", "cc", "d", "e"]);
  });

  test("there is nobody among none", () => {
    expect(idsOf(inTurn([], "a"))).toBe("");
  });
});

test("at random each is the first with the same chance", () => {
  const random = randomOf(5);
  expectChances(
    firsts(50_000, () => atRandom(FIVE, random)),
    [1, 1, 1, 1, 1],
  );
});

test("by weight each is the first in proportion to its weight", () => {
  const random = randomOf(6);
  const weights = [1, 2, 0.5, 4, 1];
  const counts = firsts(50_000, () => byWeight(FIVE, sumsOf(weights), random));
  expectChances(counts, weights);
  expectOtherChances(counts, [1, 1, 1, 1, 1]);
});

test("by weight those that are left share in proportion to their weights, too", () => {
  const random = randomOf(7);
  const weights = [1, 2, 0.5, 4, 1];
  const counts = firsts(50_000, () => without(byWeight(FIVE, sumsOf(weights), random), new Set(["d"])));
  expect(counts[3]).toBe(0);
  expectChances(
    counts.filter((count) => count > 0),
    [1, 2, 0.5, 1],
  );
});

describe("the less busy of two", () => {
  const load: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3, d: 4, e: 5 };
  const busyness = ({ id }: { id: string }) => load[id] ?? 0;

  test("chosen at random is the least busy of all for two pairs in five, and never the busiest", () => {
    const random = randomOf(8);
    const counts = firsts(50_000, () => lessBusyOfTwo(atRandom(FIVE, random), busyness));
    // Of the ten pairs, 4 have a as the less busy, 3 b, 2 c, 1 d.
    expect(counts[4]).toBe(0);
    expectChances(counts.slice(0, 4), [4, 3, 2, 1]);
  });

  test("is not the least busy of all: that would get everything until it reports again", () => {
    const counts = firsts(1_000, () => FIVE.toSorted((one, other) => busyness(one) - busyness(other)));
    expectOtherChances(counts.slice(0, 4), [4, 3, 2, 1]);
  });

  test("goes on with the other and a third, so that each comes once", () => {
    expect(idsOf(lessBusyOfTwo(named("d", "b", "e", "a", "c"), busyness))).toBe("bdace");
    expect(idsOf(lessBusyOfTwo(named("d"), busyness))).toBe("d");
    expect(idsOf(lessBusyOfTwo([], busyness))).toBe("");
  });

  test("is the one that was drawn first if they are equally busy", () => {
    expect(idsOf(lessBusyOfTwo(named("b", "a"), () => 1))).toBe("ba");
  });
});

describe("those that are too busy", () => {
  test("come last, in their order", () => {
    expect(idsOf(busyLast(FIVE, ({ id }) => id === "a" || id === "c"))).toBe("bdeac");
  });

  test("keep their order if all are", () => {
    expect(idsOf(busyLast(FIVE, () => true))).toBe("abcde");
  });
});

describe("by hash", () => {
  test("a key has one order, whatever the order of the members", () => {
    expect(byHash(FIVE, "user:42")).toEqual(byHash(FIVE.toReversed(), "user:42"));
  });

  test("each is the first for as many keys", () => {
    let key = 0;
    expectChances(
      firsts(50_000, () => byHash(FIVE, `user:${key++}`)),
      [1, 1, 1, 1, 1],
    );
  });

  test("nothing moves but the keys of a member that goes", () => {
    const four = FIVE.slice(0, 4);
    for (let key = 0; key < 1_000; key++) {
      const [before] = byHash(FIVE, `user:${key}`);
      if (before?.id !== "e") expect(byHash(four, `user:${key}`)[0]).toBe(before);
    }
  });
});

test("the first of an order are as many as there are, and no more is read than is asked for", () => {
  let read = 0;
  const counting = function* () {
    for (const member of FIVE) {
      read += 1;
      yield member;
    }
  };
  expect(firstOf(counting(), 2)).toHaveLength(2);
  expect(read).toBe(2);
  expect(firstOf(counting(), 0)).toHaveLength(0);
  expect(read).toBe(2);
  expect(firstOf(counting(), 9)).toHaveLength(5);
});
