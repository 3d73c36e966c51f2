import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Copy,
  fateOf,
  hasEnded,
  isDecided,
  keptKeyed,
  latestOf,
  longestLeftMs,
  nextVersion,
  rememberedUntilMs,
  type Version,
} from "../../src/algorithms/register.js";
import { toText, toVersion } from "../../src/algorithms/register-text.js";

const ballot = (round: number, nonce = round): string =>
  `${round.toString(16).padStart(12, "0")}:${nonce.toString(16).padStart(24, "0")}`;

const copy = (accepted: number, more: Partial<Copy> = {}): Copy => ({
  accepted: ballot(accepted),
  promised: ballot(accepted),
  etag: ballot(accepted),
  leftMs: null,
  isLive: true,
  isCopied: false,
  text: "1 - -\n1",
  ...more,
});

/** The version after so many changes, each under the ballot of its number. */
function grown(changes: number, from: Version | null = null): Version {
  let version = from;
  for (let i = 1; i <= changes; i++)
    version = nextVersion(version, { json: String(i), etag: ballot(i), keyed: null });
  return version as Version;
}

describe("several copies", () => {
  test("have as the latest the one that was accepted under the highest ballot", () => {
    expect(latestOf([copy(2), null, copy(3)])).toEqual(copy(3));
    expect(latestOf([null, null])).toBeNull();
  });

  test.each<[string, (Copy | null)[], boolean]>([
    ["the same on a majority", [copy(3), copy(3), copy(2)], true],
    ["nothing on a majority", [null, null], true],
    ["the latest on a minority", [copy(3), copy(2), copy(2)], false],
    ["nothing on a minority", [copy(3), null], false],
    ["copied to one of a majority", [copy(3), copy(3, { isCopied: true })], false],
  ])("decide by what a majority accepted itself: %s", (_what, copies, decided) => {
    expect(isDecided(copies, latestOf(copies), 2)).toBe(decided);
  });

  test.each<[string, (Copy | null)[], boolean]>([
    ["by two clocks", [copy(3, { leftMs: 0 }), copy(3, { leftMs: -7 })], true],
    ["by one clock", [copy(3, { leftMs: 0 }), copy(3, { leftMs: 7 })], false],
    ["another version by one of them", [copy(3, { leftMs: 0 }), copy(2, { leftMs: 0 })], false],
    ["never", [copy(3), copy(3)], false],
    ["a tombstone", [copy(3, { leftMs: 0, isLive: false }), copy(3, { leftMs: 0, isLive: false })], false],
  ])("have ended when a majority say so: %s", (_what, copies, ended) => {
    expect(hasEnded(copies, latestOf(copies) as Copy, 2)).toBe(ended);
  });

  test("have the longest time that any of this version has left", () => {
    const copies = [copy(3, { leftMs: 5 }), copy(3, { leftMs: 9 }), copy(2, { leftMs: 99 })];
    expect(longestLeftMs(copies, latestOf(copies) as Copy)).toBe(9);
    expect(longestLeftMs([copy(3)], copy(3))).toBeNull();
  });
});

describe("a version", () => {
  test("is what it was after it was stored", () => {
    const keyed = { key: "a_-", body: "b", told: "created", atMs: 7 };
    const version = nextVersion(grown(3), { json: '{"a":"ü\\n"}', etag: ballot(9), keyed });
    expect(toVersion(toText(version), version.etag, true)).toEqual(version);
    const deleted = nextVersion(version, { json: null, etag: ballot(10), keyed: null });
    expect(toVersion(toText(deleted), deleted.etag, false)).toEqual(deleted);
    expect(deleted.keyed).toHaveLength(1);
  });

  test("knows the last 64 changes, and no more", () => {
    const version = grown(100);
    expect(version.earlier).toHaveLength(63 * 16);
    const fate = (etag: number) =>
      fateOf({ etag: ballot(etag), bases: [ballot(etag - 1)] }, version, ballot(0));
    expect(fate(100)).toEqual({ kind: "applied", number: 100 });
    expect(fate(37)).toEqual({ kind: "applied", number: 37 });
    expect(fate(36)).toEqual({ kind: "unknown" });
  });

  test("keeps keyed changes for ten minutes by the earliest clock", () => {
    const entry = { key: "k", body: "b", number: 1, etag: ballot(1), told: "", atMs: 1_000 };
    expect(keptKeyed([entry], 600_999)).toEqual([entry]);
    expect(keptKeyed([entry], 601_000)).toEqual([]);
    expect(rememberedUntilMs([entry, { ...entry, atMs: 500 }])).toBe(601_000);
    expect(rememberedUntilMs([])).toBe(0);
  });
});

describe("a change that was proposed", () => {
  const mine = { etag: ballot(50), bases: [ballot(3)] };

  test("was applied where the latest version is it or follows it", () => {
    const version = nextVersion(grown(3), { json: "x", etag: mine.etag, keyed: null });
    expect(fateOf(mine, version, ballot(0))).toEqual({ kind: "applied", number: 4 });
    const later = nextVersion(version, { json: "y", etag: ballot(60), keyed: null });
    expect(fateOf(mine, later, ballot(0))).toEqual({ kind: "applied", number: 4 });
  });

  test("was not where what it was to follow is there without it", () => {
    expect(fateOf(mine, grown(3), ballot(0))).toEqual({ kind: "not_applied" });
    const other = nextVersion(grown(3), { json: "y", etag: ballot(60), keyed: null });
    expect(fateOf(mine, other, ballot(0))).toEqual({ kind: "not_applied" });
  });

  test("is unknown where something was removed that may have been it", () => {
    expect(fateOf(mine, null, ballot(0))).toEqual({ kind: "unknown" });
    const first = { etag: ballot(50), bases: [null] };
    expect(fateOf(first, null, ballot(40))).toEqual({ kind: "not_applied" });
    expect(fateOf(first, null, ballot(60))).toEqual({ kind: "unknown" });
    const anew = nextVersion(null, { json: "y", etag: ballot(70), keyed: null });
    expect(fateOf(first, anew, ballot(40))).toEqual({ kind: "not_applied" });
    expect(fateOf(first, anew, ballot(60))).toEqual({ kind: "unknown" });
  });

  test("is found wherever it stands, and nowhere else", () => {
    const nonce = fc.bigInt({ min: 1n, max: 2n ** 96n - 1n }).map((n) => n.toString(16).padStart(24, "0"));
    fc.assert(
      fc.property(fc.uniqueArray(nonce, { minLength: 2, maxLength: 90 }), fc.nat(), (nonces, pick) => {
        const etags = nonces.map((one, i) => ballot(i + 1).slice(0, 13) + one);
        const chosen = pick % etags.length;
        let version: Version | null = null;
        for (const [i, etag] of etags.entries())
          if (i !== chosen) version = nextVersion(version, { json: "1", etag, keyed: null });
        const change = { etag: etags[chosen] as string, bases: [etags[chosen - 1] ?? null] };
        expect(fateOf(change, version, ballot(0)).kind).not.toBe("applied");
      }),
    );
  });
});
