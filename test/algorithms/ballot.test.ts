import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ballotAbove, type PromiseReply, valueToKeep } from "../../src/algorithms/ballot.js";

const nonce = fc.stringMatching(/^[0-9a-f]{24}$/);

/** A ballot some rounds up, as proposers that outbid each other make it. */
function ballotOfRound(round: number, ofWhom: string): string {
  let ballot = ballotAbove(null, ofWhom);
  for (let i = 1; i < round; i++) ballot = ballotAbove(ballot, ofWhom);
  return ballot;
}

const promised = (ballot: string, value: string): PromiseReply => ({
  kind: "promised",
  accepted: { ballot, value },
});
const fresh: PromiseReply = { kind: "promised", accepted: null };
const refused = (ballot: string): PromiseReply => ({ kind: "refused", promised: ballot });

describe("a ballot", () => {
  test("is above the one it was made above, whoever made either", () => {
    fc.assert(
      fc.property(nonce, nonce, fc.integer({ min: 1, max: 40 }), (one, other, rounds) => {
        const below = ballotOfRound(rounds, one);
        expect(ballotAbove(below, other) > below).toBe(true);
      }),
    );
  });

  test("is above when its round gets another digit: texts are compared, not numbers", () => {
    const low = "0".repeat(24);
    const high = "f".repeat(24);
    expect(ballotOfRound(16, low) > ballotOfRound(15, high)).toBe(true);
    expect(ballotOfRound(256, low) > ballotOfRound(255, high)).toBe(true);
  });

  test("of the same round is another one for everybody, and one of the two is the higher", () => {
    const one = ballotAbove(null, "0".repeat(23).concat("1"));
    const other = ballotAbove(null, "0".repeat(23).concat("2"));
    expect(one).not.toBe(other);
    expect(other > one).toBe(true);
  });

  test("is of one length, of digits and lower-case hex: what every locale orders alike", () => {
    fc.assert(
      fc.property(nonce, fc.integer({ min: 1, max: 300 }), (ofWhom, round) => {
        expect(ballotOfRound(round, ofWhom)).toMatch(/^[0-9a-f]{12}:[0-9a-f]{24}$/);
      }),
    );
  });

  test.each(["", "abc", "G".repeat(24), "A".repeat(24), "0".repeat(25)])(
    "is not made of %j, which would compare otherwise elsewhere",
    (bad) => {
      expect(() => ballotAbove(null, bad)).toThrow(TypeError);
    },
  );
});

describe("the value that a proposer must keep", () => {
  const first = ballotOfRound(1, "a".repeat(24));
  const second = ballotOfRound(2, "0".repeat(24));

  test("is none when nobody has accepted any", () => {
    expect(valueToKeep([])).toBeNull();
    expect(valueToKeep([fresh, fresh])).toBeNull();
  });

  test("is the only one that somebody has accepted, however few they are", () => {
    expect(valueToKeep([fresh, promised(first, "blue"), fresh])).toBe("blue");
  });

  test("is that of the highest ballot, not that of the most, and in whatever order they answer", () => {
    const answers = [promised(first, "red"), promised(second, "blue"), promised(first, "red")];
    expect(valueToKeep(answers)).toBe("blue");
    expect(valueToKeep(answers.toReversed())).toBe("blue");
  });

  test("is not taken from a refusal: it says nothing of what was accepted", () => {
    expect(valueToKeep([refused(second), promised(first, "red")])).toBe("red");
    expect(valueToKeep([refused(second)])).toBeNull();
  });

  test("may be the empty text", () => {
    expect(valueToKeep([promised(first, "")])).toBe("");
  });
});
