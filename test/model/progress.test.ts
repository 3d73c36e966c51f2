import { describe, expect, it } from "vitest";
import { explore, type Model, type Progress } from "./explore.js";
import { Layout, type Shape } from "./world.js";

/** Two people meet in a corridor, each on one of its sides. Who has made up its mind steps aside, whatever comes. */
const shape = {
  primaries: 0,
  clients: 2,
  primary: [],
  link: [],
  client: ["side", "resolved"],
  shared: ["stone"],
  naming: [],
  alike: 0,
} as const satisfies Shape;

function corridor(
  manners: "both give way" | "one gives way",
  extra: Partial<Progress<typeof shape>> = {},
): Model<typeof shape> {
  return {
    name: "corridor",
    layout: new Layout(shape),
    initial: (_, done) => done(),
    steps(now, fork, done) {
      const [one, other] = now.clients.map(({ side }) => side);
      now.clients.forEach(({ resolved }, i) => {
        if (one === other && !resolved && (manners === "both give way" || i === 0)) {
          Object.assign(fork().clients[i] ?? {}, { resolved: 1 });
          done("{client} makes up its mind", 0, i);
        }
        if (!resolved) return;
        const client = fork().clients[i];
        if (client) Object.assign(client, { side: 1 - client.side, resolved: 0 });
        done("{client} steps aside", 0, i);
      });
      fork().shared.stone = 1 - now.shared.stone;
      done("a stone is turned");
    },
    violation: () => null,
    show: ({ clients }) => clients.map(({ side }) => side).join(" "),
    progress: {
      goal: ({ clients }) =>
        clients.every(({ resolved }) => !resolved) && clients[0]?.side !== clients[1]?.side,
      noWay: "they can never pass",
      forEver: "they never pass",
      ...extra,
    },
  };
}

describe("progress", () => {
  it("lacks where a fair run goes round for ever, and the history says how", () => {
    const { violation, history = [], repeated } = explore(corridor("both give way"));
    // Twice each, until all is as it was.
    expect({ violation, repeated }).toEqual({ violation: "they never pass", repeated: 10 });
    expect(history.map((line) => line.replaceAll(/\s+/g, " ").trim()).slice(0, 6)).toEqual([
      "0. at first 0 0",
      "1. A makes up its mind 0 0",
      "2. B makes up its mind 0 0",
      "3. a stone is turned 0 0",
      "4. A steps aside 1 0",
      "5. B steps aside 1 1",
    ]);
    expect(history).toHaveLength(11);
  });

  it("does not lack where a run goes round only because what could always come never does", () => {
    expect(explore(corridor("one gives way")).outcome).toBe("exhausted");
  });

  it("lacks where that is a step which need not come", () => {
    const mayNeverCome = (text: string) => text.includes("makes up its mind");
    const { violation, history, repeated } = explore(corridor("one gives way", { mayNeverCome }));
    expect({ violation, repeated }).toEqual({ violation: "they never pass", repeated: 2 });
    expect(history).toHaveLength(3);
  });

  it("lacks where no goal can be reached any more", () => {
    const goal: Progress<typeof shape>["goal"] = ({ clients }) =>
      clients.every(({ resolved, side }) => !resolved && !side);
    const { violation, history } = explore(corridor("one gives way", { goal }));
    expect(violation).toBe("they can never pass");
    expect(history).toHaveLength(2);
  });
});
