import { describe, expect, test } from "vitest";
import { historyOf, type Line, majorityLost } from "./lines.js";
import type { Decision, Outcome, Request, WorldEvent } from "./operation.js";
import { checkTransactions } from "./transactions.js";

const broken = (lines: readonly Line[], events: readonly WorldEvent[] = []) =>
  checkTransactions(historyOf(lines, events)).map(({ what }) => what);

type Votes = Extract<Outcome, { kind: "stands" }>["votes"];

const begin: Request = { kind: "begin", transaction: "t", participants: ["a", "b"], deadlineMs: 100 };
const vote = (participant: string, its: "yes" | "no" = "yes"): Request => ({
  kind: "vote",
  transaction: "t",
  participant,
  vote: its,
});
const look: Request = { kind: "decision", transaction: "t" };
const abort: Request = { kind: "abort", transaction: "t" };
const stands = (decision: Decision | null, votes: Votes = {}): Outcome => ({
  kind: "stands",
  decision,
  votes,
});
const decided = (decision: Decision): Outcome => ({ kind: "decided", decision });
const failed = (code: string): Outcome => ({ kind: "failed", code });
const NONE: Votes = { a: null, b: null };
const ONE: Votes = { a: "yes", b: null };
const ALL: Votes = { a: "yes", b: "yes" };

const begun: Line = [0, 1, begin, stands(null, NONE), "c"];
const first: Line = [2, 3, vote("a"), stands(null, ONE), "a"];
const last: Line = [4, 5, vote("b"), stands("committed", ALL), "b"];
const learns = (decision: Decision, votes: Votes): Line => [200, 201, look, stands(decision, votes), "a"];

const held: Request = { ...begin, lease: { name: "l", leaseId: "x", token: 7 } };
const heldFrom: Line = [0, 1, held, stands(null, NONE), "c"];
const release: Request = { kind: "release", name: "l", leaseId: "x" };
const released = (startMs: number, endMs: number): Line => [
  startMs,
  endMs,
  release,
  { kind: "released", was: true },
  "c",
];
const taken = (token: number): Line => [
  2,
  3,
  { kind: "acquire", name: "l", ttlMs: 1_000 },
  { kind: "granted", leaseId: "y", token, validUntilMs: 900 },
  "d",
];
const lastLost: Line = [4, 5, vote("b"), stands("aborted", ALL), "b"];

describe("the lease that a transaction names", () => {
  test.each<[string, readonly Line[]]>([
    ["is held", [heldFrom, first, last, learns("committed", ALL)]],
    ["may end unseen", [heldFrom, first, lastLost, learns("aborted", ALL)]],
    ["was released before the last yes", [heldFrom, first, released(2, 3), lastLost, learns("aborted", ALL)]],
    [
      "was released while the last yes was under way",
      [heldFrom, first, released(2, 5), last, learns("committed", ALL)],
    ],
    [
      "was renewed by the last yes, and released before it commits",
      [
        heldFrom,
        first,
        released(5, 6),
        [7, 8, look, stands(null, ONE), "a"],
        [4, 12, vote("b"), stands("committed", ALL), "b"],
        learns("committed", ALL),
      ],
    ],
    ["was released afterwards", [heldFrom, first, last, released(6, 7), learns("committed", ALL)]],
    ["had an earlier holder", [heldFrom, first, taken(6), last, learns("committed", ALL)]],
  ])("%s", (_, lines) => {
    expect(broken(lines)).toEqual([]);
  });

  test.each<[string, readonly Line[]]>([
    [
      "was released before the last yes, which commits",
      [heldFrom, first, released(2, 3), last, learns("committed", ALL)],
    ],
    [
      "had a later holder before the last yes, which commits",
      [heldFrom, first, taken(9), last, learns("committed", ALL)],
    ],
    ["is none, and yet the last yes aborts", [begun, first, lastLost, learns("aborted", ALL)]],
  ])("%s: a violation", (_, lines) => {
    expect(broken(lines)).toEqual(["no order of the calls explains what was told of t"]);
  });
});

describe("a transaction is in order where", () => {
  test.each<[string, readonly Line[]]>([
    ["the last yes commits it", [begun, first, last, learns("committed", ALL)]],
    [
      "the last yes was not answered",
      [begun, first, [4, null, vote("b"), undefined, "b"], learns("committed", ALL)],
    ],
    [
      "a no aborts it",
      [
        begun,
        first,
        [4, 5, vote("b", "no"), stands("aborted", { a: "yes", b: "no" }), "b"],
        learns("aborted", { a: "yes", b: "no" }),
      ],
    ],
    [
      "its deadline does",
      [begun, first, [150, 151, vote("b"), decided("aborted"), "b"], learns("aborted", ONE)],
    ],
    [
      "a vote comes before it begins",
      [
        [0, 1, vote("a"), decided("aborted"), "a"],
        [2, 3, begin, decided("aborted"), "c"],
        [4, 5, look, stands("aborted"), "b"],
      ],
    ],
    [
      "an abort is too late",
      [begun, first, last, [6, 7, abort, decided("committed"), "c"], learns("committed", ALL)],
    ],
    [
      "one changes its mind",
      [begun, first, [4, 5, vote("a", "no"), failed("contrary_vote"), "a"], learns("aborted", ONE)],
    ],
    ["nobody has begun it", [[0, 1, look, failed("not_found"), "a"]]],
  ])("%s", (_what, lines) => {
    expect(broken(lines)).toEqual([]);
  });

  test("nothing is judged after a loss", () => {
    expect(broken([begun, first, [20, 21, look, failed("not_found"), "a"]], [majorityLost(10)])).toEqual([]);
  });
});

describe("a transaction is broken where", () => {
  const DISORDER = "no order of the calls explains what was told of t";
  test.each<[string, readonly Line[], string]>([
    ["there are two decisions", [begun, first, last, [6, 7, look, stands("aborted", ALL), "a"]], DISORDER],
    [
      "a late vote aborts what was committed",
      [begun, first, last, [9, 10, vote("b"), decided("aborted"), "b"]],
      DISORDER,
    ],
    [
      "it is committed without every yes",
      [begun, [2, 3, vote("a"), stands("committed", ONE), "a"]],
      DISORDER,
    ],
    ["a yes is made up", [begun, [2, 3, vote("a"), stands("committed", ALL), "a"]], DISORDER],
    [
      "a vote is lost",
      [begun, first, [4, 5, look, stands(null, NONE), "b"], learns("aborted", ONE)],
      DISORDER,
    ],
    [
      "it is aborted before its deadline",
      [begun, first, [4, 5, look, stands("aborted", ONE), "a"]],
      DISORDER,
    ],
    [
      "it is forgotten",
      [begun, first, [4, 5, look, failed("not_found"), "b"], learns("aborted", ONE)],
      DISORDER,
    ],
    ["one who voted yes never learns what became of it", [begun, first], "a never learns what became of t"],
    [
      "nor where another does",
      [begun, first, [200, 201, look, stands("aborted", ONE), "b"]],
      "a never learns what became of t",
    ],
  ])("%s", (_what, lines, what) => {
    expect(broken(lines)).toContain(what);
  });
});
