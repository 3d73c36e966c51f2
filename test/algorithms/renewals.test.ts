import { describe, expect, test } from "vitest";
import { judgeRenewal, otherNames, type RenewalVote } from "../../src/algorithms/renewals.js";

type Vote = RenewalVote<{ readonly revision: string }>;

const extended = (revision = ""): Vote => ({ kind: "extended", revision });
const is = (kind: "missing" | "released" | "forgotten" | "regranted" | "other"): Vote => ({ kind });
const taken = (counter: number): Vote => ({ kind: "taken", counter });
const broken = (reason: string): Vote => ({ kind: "broken", reason });

describe("a renewal at three primaries", () => {
  test.each<[votes: Vote[]]>([
    [[]],
    [[extended()]],
    [[is("missing")]],
    [[is("other")]],
    [[extended(), is("missing")]],
    [[extended(), is("other")]],
  ])("is open after %j", (votes) => {
    expect(judgeRenewal(votes, 2, false)).toBeUndefined();
  });

  test("that a majority extended has the latest revision, whichever of them has it", () => {
    const latest = extended("2");
    for (const votes of [
      [latest, extended("1")],
      [extended("1"), latest],
    ])
      expect(judgeRenewal(votes, 2, false)).toEqual({ kind: "extended", latest, acks: 2 });
    expect(judgeRenewal([extended(), is("other"), extended()], 2, false)).toMatchObject({ acks: 2 });
  });

  test("of other names than the lease has is told so, as soon as a majority refuse", () => {
    expect(judgeRenewal([is("missing"), is("other")], 2, false)).toEqual({ kind: "other" });
    expect(judgeRenewal([is("other"), is("released"), extended()], 2, false)).toEqual({ kind: "other" });
  });

  test.each<[votes: Vote[], beforeColdStart: boolean, why: object]>([
    [[is("missing"), is("missing")], false, { kind: "expired" }],
    [[is("regranted"), is("missing")], false, { kind: "expired" }],
    [[is("missing"), is("missing")], true, { kind: "expired" }],
    [[is("forgotten"), is("missing")], false, { kind: "expired" }],
    [[is("forgotten"), is("missing")], true, { kind: "restarted" }],
    [[taken(8), taken(12)], true, { kind: "taken", counter: 12 }],
    [[is("forgotten"), taken(12)], true, { kind: "taken", counter: 12 }],
    [[taken(12), is("released")], true, { kind: "released" }],
    [[is("released"), broken("it hung")], true, { kind: "broken", reason: "it hung" }],
    [[extended(), is("missing"), is("missing")], false, { kind: "expired" }],
  ])("that a majority refused by %j (before a cold start: %s) is lost, because %j", (votes, before, why) => {
    expect(judgeRenewal(votes, 2, before)).toEqual({ kind: "lost", why });
  });
});

test("one primary that knows other names is enough where no majority say anything", () => {
  expect(otherNames([{ kind: "other" }])).toEqual({ kind: "other" });
  expect(otherNames([{ kind: "missing" }, { kind: "extended" }])).toBeUndefined();
});
