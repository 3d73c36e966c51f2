import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  exactMajority,
  majorityOf,
  raisedMajority,
  repliedByMajority,
  sharedMajority,
  type Verdict,
} from "../../src/algorithms/tally.js";

/** One place a primary: its counter where it grants, `-` where it refused or failed, `?` while it has not answered. */
const TABLE = `
  1 primary
  7              token 7
  -              refused
  ?              open

  3 primaries
  7 7 7          token 7
  7 7 ?          token 7
  7 7 -          token 7
  - 7 7          token 7
  5 7 7          token 7
  7 5 5          token 5
  7 ? ?          open
  7 - ?          open
  7 - -          refused
  ? ? ?          open
  - ? ?          open
  - - ?          refused
  - - -          refused
  5 7 ?          open
  5 7 -          raise 7
  7 5 -          raise 7
  5 6 7          raise 7

  5 primaries
  7 7 7 7 7      token 7
  7 7 7 ? ?      token 7
  7 7 7 - -      token 7
  9 5 5 5 -      token 5
  9 9 5 5 5      token 5
  7 7 ? ? ?      open
  7 7 ? - -      open
  7 7 - - -      refused
  7 - - - ?      refused
  7 - - ? ?      open
  ? ? ? - -      open
  5 6 7 ? ?      open
  5 6 7 8 ?      raise 8
  5 5 6 6 ?      open
  5 5 6 6 7      raise 7
  5 5 6 - ?      open
  5 5 6 - -      raise 6
  5 6 7 - ?      raise 7
  5 6 ? - -      open
  5 6 - - -      refused
`;

/** The same of readers, who take the highest counter that they hear of. */
const SHARED = `
  1 primary
  7              token 7
  -              refused
  ?              open

  3 primaries
  7 7 7          token 7
  7 7 ?          token 7
  7 7 -          token 7
  - 7 7          token 7
  5 7 7          token 7
  7 5 5          raise 7
  5 5 ?          token 5
  7 ? ?          open
  7 - -          refused
  7 - ?          open
  ? ? ?          open
  - - ?          refused
  5 7 ?          open
  7 5 ?          open
  5 7 -          raise 7
  5 7 9          raise 9

  5 primaries
  7 7 7 7 7      token 7
  7 7 7 ? ?      token 7
  9 5 5 5 -      raise 9
  9 5 5 5 ?      raise 9
  9 9 5 5 5      raise 9
  9 9 9 5 5      token 9
  9 9 5 5 ?      open
  9 9 5 - ?      open
  9 9 5 - -      raise 9
  7 7 ? ? ?      open
  7 9 ? ? ?      open
  7 7 ? - -      open
  7 7 - - -      refused
  5 7 9 ? ?      open
  5 7 9 - ?      raise 9
`;

/** And after all were raised to 7: any reader that is there, or above, counts. */
const RAISED = `
  1 primary
  7              token 7
  9              token 7
  5              refused
  -              refused
  ?              open

  3 primaries
  7 7 -          token 7
  7 9 ?          token 7
  9 11 -         token 7
  7 5 ?          open
  7 5 -          refused
  7 - -          refused
  7 - ?          open
  ? ? ?          open
  - - ?          refused

  5 primaries
  7 7 9 - -      token 7
  9 9 9 - -      token 7
  7 7 5 5 5      refused
  7 7 5 5 ?      open
  7 7 - - -      refused
  7 ? ? - -      open
`;

const rowsOf = (table: string) =>
  table.split("\n").flatMap((line) => {
    const [replies, verdict] = line.trim().split(/\s{2,}/);
    return replies && verdict ? [{ replies, verdict }] : [];
  });

const parse = (reply: string): number | null | undefined =>
  reply === "?" ? undefined : reply === "-" ? null : Number(reply);

const inWords = (verdict: Verdict): string => {
  if (verdict.kind === "token") return `token ${verdict.token}`;
  return verdict.kind === "raise" ? `raise ${verdict.to}` : verdict.kind;
};

type Votes = readonly (number | null | undefined)[];

describe.each<[what: string, table: string, rule: (votes: Votes, majority: number) => Verdict]>([
  ["votes on a token", TABLE, exactMajority],
  ["votes of readers", SHARED, sharedMajority],
  ["readers that were raised to 7", RAISED, (votes, majority) => raisedMajority(votes, majority, 7)],
])("%s", (_, table, rule) => {
  test.each(rowsOf(table))("$replies: $verdict", ({ replies, verdict }) => {
    const votes = replies.split(" ").map(parse);
    expect(inWords(rule(votes, majorityOf(votes.length)))).toBe(verdict);
  });
});

const reply = fc.oneof(fc.constant(null), fc.constant(undefined), fc.integer({ min: 1, max: 4 }));
const replies = fc
  .constantFrom(1, 3, 5, 7)
  .chain((count) => fc.array(reply, { minLength: count, maxLength: count }));

test("a decision stands whatever the missing replies will be", () => {
  const answer = fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 5 }));
  fc.assert(
    fc.property(replies, fc.array(answer, { minLength: 7, maxLength: 7 }), (votes, rest) => {
      const majority = majorityOf(votes.length);
      const before = exactMajority(votes, majority);
      fc.pre(before.kind === "token" || before.kind === "refused");
      const all = votes.map((vote, place) => (vote === undefined ? rest[place] : vote));
      expect(exactMajority(all, majority)).toEqual(before);
    }),
  );
});

test("a token is what a majority replied, exactly", () => {
  fc.assert(
    fc.property(replies, (votes) => {
      const majority = majorityOf(votes.length);
      const verdict = exactMajority(votes, majority);
      const most = Math.max(
        ...votes.map((vote) => (vote ? votes.filter((other) => other === vote).length : 0)),
      );
      expect(verdict.kind === "token").toBe(most >= majority);
      if (verdict.kind === "token") {
        expect(votes.filter((vote) => vote === verdict.token).length).toBeGreaterThanOrEqual(majority);
      }
    }),
  );
});

test("the order of the primaries makes no difference", () => {
  fc.assert(
    fc.property(replies, (votes) => {
      const majority = majorityOf(votes.length);
      expect(exactMajority([...votes].reverse(), majority)).toEqual(exactMajority(votes, majority));
    }),
  );
});

test("when all have answered, nothing is open", () => {
  fc.assert(
    fc.property(replies, (votes) => {
      fc.pre(votes.every((vote) => vote !== undefined));
      expect(exactMajority(votes, majorityOf(votes.length)).kind).not.toBe("open");
    }),
  );
});

describe("readers", () => {
  const later = fc.array(fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 5 })), {
    minLength: 7,
    maxLength: 7,
  });
  const completed = (votes: Votes, rest: Votes) =>
    votes.map((vote, place) => (vote === undefined ? rest[place] : vote));
  const countOf = (votes: Votes, isFor: (vote: number) => boolean) =>
    votes.filter((vote) => typeof vote === "number" && isFor(vote)).length;

  test("have a token that a majority replied, and that none of the replies so far is above", () => {
    fc.assert(
      fc.property(replies, (votes) => {
        const majority = majorityOf(votes.length);
        const verdict = sharedMajority(votes, majority);
        if (verdict.kind !== "token") return;
        expect(countOf(votes, (vote) => vote === verdict.token)).toBeGreaterThanOrEqual(majority);
        expect(countOf(votes, (vote) => vote > verdict.token)).toBe(0);
      }),
    );
  });

  test("are raised to the highest reply, when a majority hold and no reply to come can make it exact", () => {
    fc.assert(
      fc.property(replies, later, (votes, rest) => {
        const majority = majorityOf(votes.length);
        const verdict = sharedMajority(votes, majority);
        if (verdict.kind !== "raise") return;
        expect(countOf(votes, () => true)).toBeGreaterThanOrEqual(majority);
        expect(verdict.to).toBe(Math.max(...votes.map((vote) => vote ?? 0)));
        expect(countOf(completed(votes, rest), (vote) => vote === verdict.to)).toBeLessThan(majority);
      }),
    );
  });

  test("are refused only where no majority can hold, and once refused stay so", () => {
    fc.assert(
      fc.property(replies, later, (votes, rest) => {
        const majority = majorityOf(votes.length);
        const held = countOf(votes, () => true) + votes.filter((vote) => vote === undefined).length;
        expect(sharedMajority(votes, majority).kind === "refused").toBe(held < majority);
        if (held < majority)
          expect(sharedMajority(completed(votes, rest), majority)).toEqual({ kind: "refused" });
      }),
    );
  });

  test("that were raised have their token when a majority are there, whatever is above it", () => {
    fc.assert(
      fc.property(replies, fc.integer({ min: 1, max: 4 }), (votes, to) => {
        const majority = majorityOf(votes.length);
        const verdict = raisedMajority(votes, majority, to);
        const there = countOf(votes, (vote) => vote >= to);
        expect(verdict.kind === "token").toBe(there >= majority);
        if (verdict.kind === "token") expect(verdict.token).toBe(to);
      }),
    );
  });

  test("that were raised keep to a decision whatever the missing replies will be", () => {
    fc.assert(
      fc.property(replies, later, fc.integer({ min: 1, max: 4 }), (votes, rest, to) => {
        const majority = majorityOf(votes.length);
        const before = raisedMajority(votes, majority, to);
        fc.pre(before.kind !== "open");
        expect(raisedMajority(completed(votes, rest), majority, to)).toEqual(before);
      }),
    );
  });

  test("are judged whatever the order of the primaries, and when all have answered nothing is open", () => {
    fc.assert(
      fc.property(replies, later, (votes, rest) => {
        const majority = majorityOf(votes.length);
        for (const rule of [sharedMajority, (all: Votes, m: number) => raisedMajority(all, m, 3)]) {
          expect(rule([...votes].reverse(), majority)).toEqual(rule(votes, majority));
          expect(rule(completed(votes, rest), majority).kind).not.toBe("open");
        }
      }),
    );
  });
});

test("any two majorities have a primary in common, and no smaller number is one", () => {
  for (const count of [1, 3, 5, 7]) {
    expect(2 * majorityOf(count)).toBeGreaterThan(count);
    expect(2 * (majorityOf(count) - 1)).toBeLessThan(count);
  }
});

test.each<[replies: (string | boolean)[], majority: number, value: string | boolean | undefined]>([
  [[], 1, undefined],
  [["a"], 1, "a"],
  [["a"], 2, undefined],
  [["a", "b"], 2, undefined],
  [["a", "b", "a"], 2, "a"],
  [["a", "b", "b", "a", "b"], 3, "b"],
  [["", ""], 2, ""],
  [[false, true, false], 2, false],
])("of %j, with a majority of %d, the majority replied %j", (replies, majority, value) => {
  expect(repliedByMajority(replies, majority)).toBe(value);
});
