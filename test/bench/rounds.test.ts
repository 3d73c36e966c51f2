import { describe, expect, it } from "vitest";
import { type Contender, measure, orderOf, takeTurns, times } from "../../bench/comparison/rounds.js";

/** A contender that does so much per second, round by round, and notes its turns. */
function contender(id: string, perSecond: readonly number[], turns: string[] = []): Contender {
  const left = [0, ...perSecond];
  return {
    id,
    label: id,
    turn: async () => {
      turns.push(id);
      return { perSecond: left.shift() ?? 0 };
    },
  };
}

describe("contenders that take turns", () => {
  it("the first one changes with the round", () => {
    expect([0, 1, 2, 3].map((round) => orderOf(["a", "b", "c"], round).join(""))).toEqual([
      "abc",
      "bca",
      "cab",
      "abc",
    ]);
  });

  it("each has a warm-up that does not count, and then a turn in every round", async () => {
    const turns: string[] = [];
    const both = [contender("a", [1, 2], turns), contender("b", [3, 4], turns)];
    const rounds = await takeTurns(both, { rounds: 2, turnMs: 1 });
    expect(turns.join("")).toBe("ababba");
    expect(rounds.map((round) => [round.get("a")?.perSecond, round.get("b")?.perSecond])).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  it("a ratio is one of the same round: a machine that slows down between rounds does not change it", async () => {
    const both = [contender("a", [200, 20, 2]), contender("b", [100, 10, 1])];
    const rounds = await takeTurns(both, { rounds: 3, turnMs: 1 });
    const [figure] = measure([times("a against b", "perSecond", ["a", "b"], { atLeast: 1 })], rounds);
    expect(figure).toEqual({
      label: "a against b",
      goal: { atLeast: 1 },
      unit: null,
      median: 2,
      min: 2,
      max: 2,
      rounds: [2, 2, 2],
    });
  });

  it("a figure whose contender did not take part is left out", async () => {
    const rounds = await takeTurns([contender("a", [1])], { rounds: 1, turnMs: 1 });
    expect(measure([times("a against etcd", "perSecond", ["a", "etcd"])], rounds)).toEqual([]);
  });

  it("an error of a figure is not taken for a contender that is absent", async () => {
    const rounds = await takeTurns([contender("a", [1])], { rounds: 1, turnMs: 1 });
    const wrong = {
      label: "wrong",
      of: () => {
        throw new Error("a mistake");
      },
    };
    expect(() => measure([wrong], rounds)).toThrow("a mistake");
  });
});
