import { describe, expect, test } from "vitest";
import { checkBarriers } from "./barriers.js";
import { historyOf, type Line, majorityLost } from "./lines.js";
import type { Outcome, Request, WorldEvent } from "./operation.js";

const broken = (lines: readonly Line[], events: readonly WorldEvent[] = []) =>
  checkBarriers(historyOf(lines, events)).map(({ what }) => what);

interface More {
  readonly generation?: number;
  readonly waitMs?: number;
}
const arrive = (member: string, more: More = {}): Request => ({
  kind: "arrive",
  barrier: "b",
  member,
  count: 2,
  ttlMs: 100,
  ...more,
});
const waits = (generation: number): Outcome => ({ kind: "arrived", generation, arrived: 1, released: false });
const goes = (generation: number): Outcome => ({ kind: "arrived", generation, arrived: 2, released: true });

const jump: WorldEvent = {
  kind: "clock_jump",
  atMs: 1,
  doneMs: 2,
  primary: "p",
  byMs: -2_000,
  membersUntilMs: 3,
};
/** The first had gone when the second came. */
const APART: readonly Line[] = [
  [0, 1, arrive("a"), waits(7)],
  [500, 501, arrive("b"), goes(7)],
];

describe("a barrier is in order where", () => {
  test.each<[string, readonly Line[]]>([
    [
      "all have arrived",
      [
        [0, 1, arrive("a"), waits(7)],
        [2, 3, arrive("b"), goes(7)],
        [4, 5, arrive("a"), waits(8)],
      ],
    ],
    [
      "one waits for the other",
      [
        [0, 51, arrive("a", { waitMs: 80 }), goes(7)],
        [50, 51, arrive("b"), goes(7)],
      ],
    ],
    [
      "one in doubt counts",
      [
        [0, null, arrive("a")],
        [50, 51, arrive("b"), goes(7)],
      ],
    ],
    [
      "one asks again for what was released",
      [
        [0, null, arrive("a")],
        [2, 3, arrive("b"), goes(7)],
        [9, 10, arrive("a", { generation: 7 }), goes(7)],
      ],
    ],
    [
      "one was told to wait at the same time",
      [
        [0, 4, arrive("a"), waits(7)],
        [2, 3, arrive("b"), goes(7)],
      ],
    ],
  ])("%s", (_what, lines) => {
    expect(broken(lines)).toEqual([]);
  });

  test("nothing is judged after a loss, nor times where clocks jump", () => {
    expect(
      broken(
        [
          [0, 1, arrive("b"), waits(7)],
          [20, 21, arrive("b"), goes(7)],
        ],
        [majorityLost(10)],
      ),
    ).toEqual([]);
    expect(broken(APART, [jump])).toEqual([]);
  });
});

describe("a barrier is broken where", () => {
  test.each<[string, readonly Line[], string]>([
    ["one is enough", [[0, 1, arrive("a"), goes(7)]], "b released generation 7 when 1 of 2 had arrived"],
    [
      "one counts twice",
      [
        [0, 1, arrive("a"), waits(7)],
        [2, 3, arrive("a"), goes(7)],
      ],
      "b released generation 7 when 1 of 2 had arrived",
    ],
    [
      "the others arrive at another one",
      [
        [0, 1, arrive("a"), waits(6)],
        [2, 3, arrive("b"), goes(7)],
      ],
      "b released generation 7 when 1 of 2 had arrived",
    ],
    ["one counts for too long", APART, "b released generation 7 when 1 of 2 had arrived"],
    [
      "one is told to wait for what was released",
      [
        [0, 1, arrive("a"), waits(7)],
        [2, 3, arrive("b"), goes(7)],
        [4, 90, arrive("a", { generation: 7, waitMs: 80 }), waits(7)],
      ],
      "b released generation 7, and then did not",
    ],
    [
      "a generation comes again",
      [
        [0, 1, arrive("a"), waits(7)],
        [2, 3, arrive("b"), goes(7)],
        [4, 5, arrive("c"), waits(7)],
      ],
      "b went back to generation 7",
    ],
  ])("%s", (_what, lines, what) => {
    expect(broken(lines)).toContain(what);
  });
});
