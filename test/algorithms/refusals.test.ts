import { describe, expect, test } from "vitest";
import { type AcquireRefusal, whyRefused } from "../../src/algorithms/refusals.js";

interface Hold {
  readonly digest: string;
}

type Vote = AcquireRefusal<Hold> | { readonly kind: "granted" };

const granted: Vote = { kind: "granted" };
const gone: Vote = { kind: "gone" };
const other: Vote = { kind: "other" };
const held = (digest: string, ahead = 0): Vote => ({ kind: "held", ahead, hold: { digest } });
const queued = (ahead: number): Vote => ({ kind: "queued", ahead });
const limit = (of: number): Vote => ({ kind: "limit", limit: of });
const quarantined = (forMs: number): Vote => ({ kind: "quarantined", forMs });
const SPLIT = { kind: "held", hold: null, certain: false, ahead: 0 };

describe("why an acquire was refused, by the votes of a majority", () => {
  test.each<[what: string, votes: Vote[], expected: object]>([
    ["held on a majority", [held("A"), held("A")], { hold: { digest: "A" }, certain: true }],
    ["held by two that split", [held("A"), held("B"), granted], { hold: { digest: "A" }, certain: false }],
    ["held by the one that most report", [held("B"), held("A"), held("A")], { hold: { digest: "A" } }],
    ["nothing: too few granted it", [granted, granted], SPLIT],
    ["held on one, others first on another", [held("A"), queued(3)], { certain: true, ahead: 3 }],
    ["others first", [queued(1), queued(2), granted], { hold: null, certain: true, ahead: 2 }],
    ["others first on one only", [queued(1), granted, granted], { hold: null, certain: false, ahead: 1 }],
    ["an id that is gone", [held("A"), gone, held("A")], gone],
    ["an id for something else", [other, granted], other],
    ["what comes first of the two that are final", [other, gone], other],
    ["another limit", [limit(5), granted, limit(5)], limit(5)],
    ["another limit on a minority", [limit(5), held("A"), held("A")], { kind: "held", certain: true }],
    ["another limit on a minority, and nothing else", [limit(5), granted], SPLIT],
    ["an id that is gone, before another limit", [limit(5), limit(5), gone], gone],
    ["quarantine", [quarantined(9), granted, quarantined(4)], { primaries: 2, forMs: 4 }],
    ["quarantine on one", [granted, quarantined(4)], { kind: "quarantined", primaries: 1, forMs: 4 }],
    [
      "quarantine, though it is held",
      [quarantined(9), held("A"), quarantined(4)],
      { kind: "held", certain: false },
    ],
  ])("%s", (_what, votes, expected) => {
    expect(whyRefused(votes, 2)).toMatchObject(expected);
  });
});
