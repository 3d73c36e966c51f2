import { describe, expect, it } from "vitest";
import { explore, type Model } from "./explore.js";
import { Layout, type Shape, type World } from "./world.js";

/** Two jugs of 3 and 5 litres, to be filled, emptied and poured into each other. */
const shape = {
  primaries: 0,
  clients: 0,
  primary: [],
  link: [],
  client: [],
  shared: ["small", "large"],
  naming: [],
  alike: 0,
} as const satisfies Shape;

function jugs(forbidden: number, emptied = true): Model<typeof shape> {
  return {
    name: "jugs",
    layout: new Layout(shape),
    initial: (_, done) => done(),
    steps(now, fork, done) {
      const to = (text: string, small: number, large: number) => {
        Object.assign(fork().shared, { small, large });
        done(text);
      };
      const { small, large } = now.shared;
      if (small < 3) to("fill the small one", 3, large);
      if (large < 5) to("fill the large one", small, 5);
      if (emptied && small > 0) to("empty the small one", 0, large);
      if (emptied && large > 0) to("empty the large one", small, 0);
      const over = Math.min(small, 5 - large);
      if (over > 0) to("pour into the large one", small - over, large + over);
      const back = Math.min(large, 3 - small);
      if (back > 0) to("pour into the small one", small + back, large - back);
    },
    violation: ({ shared }) => (shared.large === forbidden ? `${forbidden} litres` : null),
    stuck: () => "both are full",
    show: ({ shared }: World<typeof shape>) => `${shared.small} ${shared.large}`,
    landmarks: {
      "three litres in the large one": ({ shared }) => shared.large === 3,
      "six litres in the large one": ({ shared }) => shared.large === 6,
    },
  };
}

describe("exploration", () => {
  it("reaches every state once, and says what was never reached", () => {
    expect(explore(jugs(6))).toMatchObject({
      outcome: "exhausted",
      states: 16,
      landmarks: ["three litres in the large one"],
      missed: ["six litres in the large one"],
    });
  });

  it("tells a shortest history of what is wrong", () => {
    const { outcome, violation, history } = explore(jugs(4));
    expect({ outcome, violation }).toEqual({ outcome: "violated", violation: "4 litres" });
    expect(history?.map((line) => line.replaceAll(/\s+/g, " ").trim())).toEqual([
      "0. at first 0 0",
      "1. fill the large one 0 5",
      "2. pour into the small one 3 2",
      "3. empty the small one 0 2",
      "4. pour into the small one 2 0",
      "5. fill the large one 2 5",
      "6. pour into the small one 3 4",
    ]);
  });

  it("tells where no step can be taken", () => {
    expect(explore(jugs(6, false))).toMatchObject({ outcome: "violated", violation: "both are full" });
  });

  it("ends at its limits", () => {
    expect(explore(jugs(6), { states: 5 }).outcome).toBe("limit");
    expect(explore(jugs(6), { goOn: () => false })).toMatchObject({ outcome: "limit", states: 1 });
  });
});
