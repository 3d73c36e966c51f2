import { describe, expect, test } from "vitest";
import { checkCounters, checkLatches } from "./counts.js";
import { historyOf, type Line, majorityLost } from "./lines.js";
import type { Outcome, Request } from "./operation.js";

const counters = (lines: readonly Line[], lostMs?: number) =>
  checkCounters(historyOf(lines, lostMs === undefined ? [] : [majorityLost(lostMs)])).map(({ what }) => what);
const latches = (lines: readonly Line[]) => checkLatches(historyOf(lines)).map(({ what }) => what);

const add = (by: number, key?: string): Request => ({
  kind: "add",
  counter: "n",
  by,
  ...(key !== undefined && { idempotencyKey: key }),
});
const count: Request = { kind: "count", counter: "n" };
const counted = (value: number): Outcome => ({ kind: "counted", value });
const failed = (code: string): Outcome => ({ kind: "failed", code });

describe("a counter is in order where", () => {
  test.each<[string, readonly Line[]]>([
    ["it is 0 before anything was added", [[0, 1, count, counted(0)]]],
    [
      "each addition counts",
      [
        [0, 1, add(2), counted(2)],
        [2, 3, add(-5), counted(-3)],
        [4, 5, count, counted(-3)],
      ],
    ],
    [
      "one in doubt was made",
      [
        [0, null, add(2)],
        [2, 3, count, counted(0)],
        [4, 5, count, counted(2)],
      ],
    ],
    [
      "or was not",
      [
        [0, 1, add(2), failed("outcome_unknown")],
        [2, 3, add(3), counted(3)],
      ],
    ],
    [
      "one was tried twice",
      [
        [0, null, add(2, "k")],
        [2, 3, add(2, "k"), counted(2)],
        [4, 5, count, counted(2)],
      ],
    ],
    [
      "two come at the same time",
      [
        [0, 5, add(2), counted(5)],
        [1, 4, add(3), counted(3)],
      ],
    ],
  ])("%s", (_what, lines) => {
    expect(counters(lines)).toEqual([]);
  });

  test("nothing is judged after a loss", () => {
    expect(
      counters(
        [
          [0, 1, add(2), counted(2)],
          [20, 21, count, counted(0)],
        ],
        10,
      ),
    ).toEqual([]);
    expect(
      counters(
        [
          [12_000, 12_001, add(2), counted(2)],
          [20_000, 20_001, count, counted(0)],
        ],
        10,
      ),
    ).not.toEqual([]);
  });
});

describe("a counter is broken where", () => {
  const DISORDER = "no order of the calls explains what was told of n";
  test.each<[string, readonly Line[], string]>([
    [
      "an addition is lost",
      [
        [0, 1, add(2), counted(2)],
        [2, 3, count, counted(0)],
      ],
      DISORDER,
    ],
    [
      "one counts twice",
      [
        [0, null, add(2)],
        [2, 3, count, counted(4)],
      ],
      DISORDER,
    ],
    [
      "the tries of one count twice",
      [
        [0, 1, add(2, "k"), counted(2)],
        [2, 3, add(2, "k"), counted(4)],
      ],
      "n took one change twice",
    ],
    [
      "one that was not answered counts again, by its second try",
      [
        [0, null, add(2, "k")],
        [2, 3, add(2, "k"), counted(4)],
      ],
      DISORDER,
    ],
    [
      "one counts that was refused",
      [
        [0, 1, add(2), failed("no_quorum")],
        [2, 3, count, counted(2)],
      ],
      DISORDER,
    ],
    [
      "two get the same",
      [
        [0, 5, add(2), counted(2)],
        [1, 4, add(2), counted(2)],
      ],
      DISORDER,
    ],
  ])("%s", (_what, lines, what) => {
    expect(counters(lines)).toContain(what);
  });
});

const set: Request = { kind: "set_latch", latch: "n", count: 2 };
const down = (key?: string): Request => ({
  kind: "count_down",
  latch: "n",
  ...(key !== undefined && { idempotencyKey: key }),
});
const look: Request = { kind: "latch", latch: "n" };
const left = (remaining: number): Outcome => ({ kind: "latched", latch: { count: 2, remaining } });
const none: Outcome = { kind: "latched", latch: null };

describe("a latch is in order where", () => {
  test.each<[string, readonly Line[]]>([
    [
      "there is none",
      [
        [0, 1, look, none],
        [2, 3, down(), none],
      ],
    ],
    [
      "it is counted down, opens, and stays open",
      [
        [0, 1, set, left(2)],
        [2, 3, down(), left(1)],
        [4, 5, set, left(1)],
        [6, 7, down(), left(0)],
        [8, 9, down(), left(0)],
        [10, 11, look, left(0)],
      ],
    ],
    [
      "one in doubt counts",
      [
        [0, 1, set, left(2)],
        [2, null, down()],
        [3, 4, look, left(2)],
        [5, 6, down(), left(0)],
      ],
    ],
    [
      "one that was set in doubt is there",
      [
        [0, null, set],
        [2, 3, look, left(2)],
      ],
    ],
    [
      "one was tried twice",
      [
        [0, 1, set, left(2)],
        [2, 3, down("k"), left(1)],
        [4, 5, down("k"), left(1)],
      ],
    ],
    [
      "one was tried before it was there",
      [
        [0, 1, down("k"), none],
        [2, 3, set, left(2)],
        [4, 5, down("k"), left(1)],
      ],
    ],
  ])("%s", (_what, lines) => {
    expect(latches(lines)).toEqual([]);
  });
});

describe("a latch is broken where", () => {
  const DISORDER = "no order of the calls explains what was told of n";
  test.each<[string, readonly Line[], string]>([
    [
      "it opens too early",
      [
        [0, 1, set, left(2)],
        [2, 3, down(), left(1)],
        [4, 5, look, left(0)],
      ],
      DISORDER,
    ],
    [
      "it closes again",
      [
        [0, 1, set, left(2)],
        [2, null, down()],
        [3, 4, look, left(1)],
        [5, 6, look, left(2)],
      ],
      DISORDER,
    ],
    [
      "it is gone",
      [
        [0, 1, set, left(2)],
        [2, 3, look, none],
      ],
      DISORDER,
    ],
    [
      "the tries of one count twice",
      [
        [0, 1, set, left(2)],
        [2, 3, down("k"), left(1)],
        [4, 5, down("k"), left(0)],
      ],
      "n took one change twice",
    ],
  ])("%s", (_what, lines, what) => {
    expect(latches(lines)).toContain(what);
  });
});
