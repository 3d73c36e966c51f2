import { describe, expect, test } from "vitest";
import { busyness, type Loaded, meanBusyness } from "../../src/algorithms/member-load.js";

const member = (load: Loaded["load"], weight = 1): Loaded => ({ weight, load });

describe("a member is busier", () => {
  test.each<[string, Loaded, Loaded]>([
    ["with more requests", member({ inFlight: 5 }), member({ inFlight: 4 })],
    ["with less processor left", member({ cpu: 0.9 }), member({ cpu: 0.2 })],
    ["with less memory left", member({ memory: 0.9 }), member({ memory: 0.2 })],
    ["with less disk left", member({ disk: 0.9 }), member({ disk: 0.2 })],
    ["with the same requests at a lower weight", member({ inFlight: 9 }, 1), member({ inFlight: 9 }, 2)],
    ["with nothing left than with a little", member({ cpu: 1 }), member({ cpu: 0.9 })],
    ["if it reports something than if it does not", member({ inFlight: 1 }), member(null)],
  ])("%s", (_, busier, other) => {
    expect(busyness(busier)).toBeGreaterThan(busyness(other));
  });

  test("with what it was just given", () => {
    expect(busyness(member({ inFlight: 1 }), 3)).toBe(busyness(member({ inFlight: 4 })));
    expect(busyness(member(null), 3)).toBe(4);
  });
});

test("two members with nothing left can still be compared", () => {
  const one = busyness(member({ cpu: 1, memory: 1, inFlight: 5 }));
  const other = busyness(member({ cpu: 1, memory: 1, inFlight: 4 }));
  expect(one).toBeGreaterThan(other);
  expect(one).toBeLessThan(Number.POSITIVE_INFINITY);
});

describe("the mean", () => {
  test("is of those that report", () => {
    expect(meanBusyness([member({ inFlight: 1 }), member({ inFlight: 5 }), member(null)])).toBe(4);
  });

  test("is null if none does", () => {
    expect(meanBusyness([member(null), member(undefined)])).toBeNull();
  });
});
