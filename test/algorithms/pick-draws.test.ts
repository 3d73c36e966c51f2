import { describe, expect, test } from "vitest";
import { sumsOf, uniformDraws, weightedDraws } from "../../src/algorithms/pick-draws.js";
import { expectChances, expectOtherChances, randomOf } from "../helpers/chance.js";

const ROUNDS = 60_000;

/** How often each order came, in the order of `orders`. */
function countsOf(orders: readonly string[], draw: () => Iterable<number>): number[] {
  const counts = new Map(orders.map((order) => [order, 0]));
  for (let round = 0; round < ROUNDS; round++) {
    const order = [...draw()].join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(orders.length);
  return [...counts.values()];
}

const PERMUTATIONS = ["012", "021", "102", "120", "201", "210"];

describe("uniform draws", () => {
  test("make every order with the same chance", () => {
    const random = randomOf(1);
    const counts = countsOf(PERMUTATIONS, () => uniformDraws(3, random));
    expectChances(counts, [1, 1, 1, 1, 1, 1]);
  });

  test("that swapped with any place would be found out", () => {
    const random = randomOf(1);
    const counts = countsOf(PERMUTATIONS, () => {
      const places = [0, 1, 2];
      for (const at of [0, 1, 2]) {
        const other = Math.floor(random() * 3);
        [places[at], places[other]] = [places[other] as number, places[at] as number];
      }
      return places;
    });
    expectOtherChances(counts, [1, 1, 1, 1, 1, 1]);
  });

  test.each([0, 1, 2, 7, 1_000])("of %s have each number once", (count) => {
    const drawn = [...uniformDraws(count, randomOf(2))];
    expect(drawn.toSorted((a, b) => a - b)).toEqual([...Array(count).keys()]);
  });

  test("ask for no more chance than they are read", () => {
    let asked = 0;
    const draws = uniformDraws(10_000, () => {
      asked += 1;
      return 0.5;
    });
    draws.next();
    draws.next();
    expect(asked).toBe(2);
  });
});

describe("weighted draws", () => {
  /** The chance of an order, by the definition: in proportion to the weights among those that are left. */
  function chanceOf(order: string, weights: readonly number[]): number {
    let left = weights.reduce((sum, weight) => sum + weight, 0);
    return [...order].reduce((chance, index) => {
      const weight = weights[Number(index)] as number;
      const next = (chance * weight) / left;
      left -= weight;
      return next;
    }, 1);
  }

  test.each([
    [[1, 1, 1]],
    [[1, 2, 3]],
    [[0.5, 8, 1]],
    // Nearly all the weight is in one: what is left is drawn from by itself.
    [[1, 200, 2]],
  ])("of %j make every order with the chance that its weights have", (weights) => {
    const random = randomOf(3);
    const counts = countsOf(PERMUTATIONS, () => weightedDraws(sumsOf(weights), random));
    expectChances(
      counts,
      PERMUTATIONS.map((order) => chanceOf(order, weights)),
    );
  });

  test.each([1, 2, 7, 1_000])(
    "of %s weights have each index once, however unlike the weights are",
    (count) => {
      const weights = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 256 : 1e-6));
      const drawn = [...weightedDraws(sumsOf(weights), randomOf(4))];
      expect(drawn.toSorted((a, b) => a - b)).toEqual([...Array(count).keys()]);
    },
  );

  test("take the last where rounding reaches the total", () => {
    expect(weightedDraws(sumsOf([0.1, 0.2]), () => 1).next().value).toBe(1);
  });
});
