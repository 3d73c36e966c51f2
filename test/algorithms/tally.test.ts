import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exactMajority, majorityOf } from "../../src/algorithms/tally.js";

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

const rows = TABLE.split("\n").flatMap((line) => {
  const [replies, verdict] = line.trim().split(/\s{2,}/);
  return replies && verdict ? [{ replies, verdict }] : [];
});

const parse = (reply: string): number | null | undefined =>
  reply === "?" ? undefined : reply === "-" ? null : Number(reply);

const inWords = (verdict: ReturnType<typeof exactMajority>): string => {
  if (verdict.kind === "token") return `token ${verdict.token}`;
  return verdict.kind === "raise" ? `raise ${verdict.to}` : verdict.kind;
};

describe("votes on a token", () => {
  test.each(rows)("$replies: $verdict", ({ replies, verdict }) => {
    const votes = replies.split(" ").map(parse);
    expect(inWords(exactMajority(votes, majorityOf(votes.length)))).toBe(verdict);
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

test("any two majorities have a primary in common, and no smaller number is one", () => {
  for (const count of [1, 3, 5, 7]) {
    expect(2 * majorityOf(count)).toBeGreaterThan(count);
    expect(2 * (majorityOf(count) - 1)).toBeLessThan(count);
  }
});
