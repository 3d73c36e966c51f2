import { describe, expect, test } from "vitest";
import { historyOf, type Line, majorityLost } from "./lines.js";
import type { Outcome, Request, WorldEvent } from "./operation.js";
import { checkTransfers } from "./transfers.js";

type Transfer = Extract<Request, { kind: "transfer" }>;

const broken = (lines: readonly Line[], events: readonly WorldEvent[] = []) =>
  checkTransfers(historyOf(lines, events)).map(({ what }) => what);

const all: Transfer = { kind: "transfer", checks: [], reads: ["a1", "a2", "a3"], puts: [] };
const account = (value: number, etag: string) => ({ value: String(value), number: 1, etag });
const told = (one: number, e1: string, other: number, e2: string): Outcome => ({
  kind: "transferred",
  changed: {},
  found: { a1: account(one, e1), a2: account(other, e2), a3: account(100, "c") },
});
const made = (e1: string, e2: string, found: Record<string, never> | null = {}): Outcome => ({
  kind: "transferred",
  changed: { a1: { number: 2, etag: e1 }, a2: { number: 2, etag: e2 } },
  found,
});

const begin: Line = [
  0,
  1,
  {
    kind: "transfer",
    checks: ["a1", "a2", "a3"].map((key) => ({ key, etag: null })),
    reads: [],
    puts: ["a1", "a2", "a3"].map((key) => ({ key, value: "100" })),
  },
  {
    kind: "transferred",
    changed: { a1: { number: 1, etag: "a" }, a2: { number: 1, etag: "b" }, a3: { number: 1, etag: "c" } },
    found: {},
  },
];
/** 10 from the first to the second. */
const move: Transfer = {
  kind: "transfer",
  checks: [
    { key: "a1", etag: "a" },
    { key: "a2", etag: "b" },
  ],
  reads: [],
  puts: [
    { key: "a1", value: "90" },
    { key: "a2", value: "110" },
  ],
};
const keyed: Transfer = { ...move, idempotencyKey: "k" };
const look = (key: string): Request => ({ kind: "look", key });
const found = (value: number, etag: string): Outcome => ({ kind: "found", version: account(value, etag) });
const DISORDER = "no order of the calls explains what was told of the accounts";

describe("transfers are in order where", () => {
  test.each<[string, readonly Line[]]>([
    [
      "each is seen by all who ask later",
      [begin, [2, 3, move, made("d", "e")], [4, 5, all, told(90, "d", 110, "e")]],
    ],
    [
      "one that is under way is seen, or not",
      [
        begin,
        [2, 9, move, made("d", "e")],
        [3, 4, all, told(100, "a", 100, "b")],
        [5, 6, look("a2"), found(110, "e")],
      ],
    ],
    [
      "one in doubt was made",
      [begin, [2, null, move], [4, 5, look("a1"), found(90, "d")], [6, 7, look("a2"), found(110, "e")]],
    ],
    ["or was not", [begin, [2, null, move], [4, 5, all, told(100, "a", 100, "b")]]],
    [
      "a check did not hold",
      [
        begin,
        [
          2,
          3,
          { ...move, checks: [{ key: "a1", etag: "x" }] },
          { kind: "unlike", key: "a1", current: { number: 1, etag: "a" } },
        ],
      ],
    ],
    [
      "one was asked for twice",
      [
        begin,
        [2, 3, keyed, made("d", "e")],
        [4, 5, keyed, made("d", "e", null)],
        [6, 7, all, told(90, "d", 110, "e")],
      ],
    ],
    [
      "banks have nothing to do with each other",
      [
        begin,
        [2, 3, { kind: "look", key: "another/a1" }, { kind: "found", version: null }],
        [4, 5, look("a1"), found(100, "a")],
      ],
    ],
    [
      "nothing is judged after a loss",
      [begin, [2, 3, move, made("d", "e")], [14, 15, all, told(100, "a", 100, "b")]],
    ],
  ])("%s", (what, lines) => {
    expect(broken(lines, what.includes("loss") ? [majorityLost(10)] : [])).toEqual([]);
  });
});

describe("transfers are broken where", () => {
  test.each<[string, readonly Line[], string]>([
    [
      "half of one is read",
      [begin, [2, 9, move, made("d", "e")], [3, 4, all, told(90, "d", 100, "b")]],
      "the accounts had 290 together",
    ],
    [
      "one is seen, and then not any more",
      [
        begin,
        [2, 9, move, made("d", "e")],
        [3, 4, look("a2"), found(110, "e")],
        [5, 6, look("a1"), found(100, "a")],
      ],
      DISORDER,
    ],
    [
      "one that was made is not seen",
      [begin, [2, 3, move, made("d", "e")], [4, 5, look("a1"), found(100, "a")]],
      DISORDER,
    ],
    [
      "half of one in doubt was made",
      [begin, [2, null, move], [4, 5, look("a1"), found(90, "d")], [6, 7, look("a2"), found(100, "b")]],
      DISORDER,
    ],
    [
      "two are made of the same",
      [begin, [2, 3, move, made("d", "e")], [4, 5, move, made("f", "g")]],
      DISORDER,
    ],
    [
      "one was made twice",
      [begin, [2, 3, keyed, made("d", "e")], [4, 5, keyed, made("f", "g", null)]],
      "k was made twice",
    ],
    [
      "a check that holds is refused",
      [begin, [2, 3, move, { kind: "unlike", key: "a1", current: { number: 1, etag: "a" } }]],
      DISORDER,
    ],
  ])("%s", (_what, lines, what) => {
    expect(broken(lines)).toContain(what);
  });
});
