import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Intent, place, settled } from "../../src/algorithms/intent.js";
import { fateOf, KEYED_MAX, KEYED_MS, nextVersion, type Version } from "../../src/algorithms/register.js";
import { hasIntent, toText, toVersion } from "../../src/algorithms/register-text.js";

const ballot = (round: number): string =>
  `${round.toString(16).padStart(12, "0")}:${round.toString(16).padStart(24, "0")}`;
const EARLY = { etagOfNothing: ballot(90), earliestMs: 0 };

const intent = (more: Partial<Intent> = {}): Intent => ({
  record: "record/-/7",
  creation: ballot(70),
  etag: ballot(80),
  write: { json: '"new"', ttlMs: null },
  keyed: null,
  ...more,
});

const first = nextVersion(null, { json: '"old"', etag: ballot(1), keyed: null });
const tombstone = nextVersion(first, { json: null, etag: ballot(2), keyed: null });
const keyedChange = { key: "k", body: "b", atMs: 5 };

/** With the intent. */
function placed(version: Version | null, its = intent()): Version {
  const result = place(version, {}, its, EARLY);
  if (result.kind !== "placed") throw new Error(result.kind);
  return result.version;
}

describe("an intent", () => {
  test("changes nothing of the version that it is noted with", () => {
    expect(placed(first)).toEqual({ ...first, intent: intent() });
    expect(placed(tombstone)).toEqual({ ...tombstone, intent: intent() });
    expect(placed(null)).toMatchObject({ number: 0, etag: ballot(90), json: null });
  });

  test("is not noted twice, nor over that of another, nor where the check does not hold", () => {
    expect(place(placed(first), { check: ballot(9) }, intent(), EARLY).kind).toBe("there");
    const other = intent({ record: "record/-/8", etag: ballot(81) });
    expect(place(placed(first), {}, other, EARLY)).toEqual({ kind: "blocked", by: intent() });
    expect(place(first, { check: ballot(9) }, intent(), EARLY)).toEqual({ kind: "mismatch", current: first });
    expect(place(first, { check: null }, intent(), EARLY)).toEqual({ kind: "mismatch", current: first });
    for (const nothing of [null, tombstone]) {
      const mismatch = { kind: "mismatch", current: null };
      expect(place(nothing, { check: ballot(2) }, intent(), EARLY)).toEqual(mismatch);
      expect(place(nothing, { check: null }, intent(), EARLY).kind).toBe("placed");
    }
    expect(place(first, { check: ballot(1) }, intent(), EARLY).kind).toBe("placed");
  });

  test("is not noted again once its transaction was made, nor where too many keys are remembered", () => {
    const its = intent({ keyed: keyedChange });
    const made = settled(placed(first, its), { state: "committed", told: "7" }).version;
    const again = place(made, { check: null }, intent({ etag: ballot(81), keyed: keyedChange }), EARLY);
    expect(again).toMatchObject({ kind: "repeated", change: { body: "b", told: "7", number: 2 } });
    const keyed = Array.from({ length: KEYED_MAX }, (_, i) => ({
      ...keyedChange,
      key: `k${i}`,
      number: 1,
      etag: ballot(1),
      told: "",
    }));
    expect(place({ ...first, keyed }, {}, its, EARLY).kind).toBe("too_many_keyed");
    expect(place({ ...first, keyed }, {}, intent(), EARLY).kind).toBe("placed");
    const later = { ...EARLY, earliestMs: KEYED_MS + 10 };
    expect(place({ ...first, keyed }, {}, its, later)).toMatchObject({
      kind: "placed",
      version: { keyed: [] },
    });
  });

  test("that is aborted leaves what was there", () => {
    for (const version of [first, tombstone])
      expect(settled(placed(version), { state: "aborted", told: "-" })).toEqual({
        version,
        ttlMs: undefined,
      });
  });

  test("that is committed makes the next version, with the ETag that it had chosen", () => {
    const write = { json: "2", ttlMs: 500 };
    const { version, ttlMs } = settled(placed(first, intent({ write })), { state: "committed", told: "-" });
    expect(ttlMs).toBe(500);
    expect(version).toEqual(nextVersion(first, { json: "2", etag: ballot(80), keyed: null }));
    const made = settled(placed(null, intent({ write })), { state: "committed", told: "-" }).version;
    expect(made).toMatchObject({ number: 1, json: "2", earlier: "" });
  });

  test.each<[string, Version | null, Partial<Intent>]>([
    ["only checks or reads", first, { write: null }],
    ["deletes what is not there", tombstone, { write: { json: null, ttlMs: null } }],
    ["deletes what never was", null, { write: { json: null, ttlMs: null } }],
  ])("that is committed and %s changes no version", (_what, version, more) => {
    const base = placed(version, intent(more));
    const { intent: _, ...before } = base;
    expect(settled(base, { state: "committed", told: "-" }).version).toEqual(before);
    const keyed = settled(placed(version, intent({ ...more, keyed: keyedChange })), {
      state: "committed",
      told: "7",
    });
    expect(keyed.version).toMatchObject({ number: before.number, keyed: [{ key: "k", told: "7" }] });
  });

  test("lets no change in doubt be taken for made or not made", () => {
    const doubt = { etag: ballot(7), bases: [first.etag] };
    expect(fateOf(doubt, placed(first), ballot(0))).toEqual({ kind: "not_applied" });
    const applied = nextVersion(first, { json: "7", etag: ballot(7), keyed: null });
    expect(fateOf(doubt, placed(applied), ballot(0))).toEqual({ kind: "applied", number: 2 });
    const committed = settled(placed(applied), { state: "committed", told: "-" }).version;
    expect(fateOf(doubt, committed, ballot(0))).toEqual({ kind: "applied", number: 2 });
    // One that was to follow nothing, where only an intent came between.
    const onNothing = { etag: ballot(7), bases: [null] };
    expect(fateOf(onNothing, placed(null), ballot(0))).toEqual({ kind: "not_applied" });
    const made = settled(placed(null), { state: "committed", told: "-" }).version;
    expect(fateOf(onNothing, made, ballot(0))).toEqual({ kind: "not_applied" });
  });

  test("is what it was after it was stored, and costs a register without one nothing", () => {
    const texts = fc.oneof(fc.json(), fc.constant(null));
    fc.assert(
      fc.property(texts, texts, fc.boolean(), fc.option(fc.nat()), (json, next, isKeyed, ttlMs) => {
        const line = (text: string | null) => text && JSON.stringify(JSON.parse(text));
        const version: Version = {
          ...nextVersion(first, { json: line(json), etag: ballot(3), keyed: null }),
          intent: intent({
            write: next === null ? null : { json: line(next), ttlMs },
            keyed: isKeyed ? keyedChange : null,
          }),
        };
        expect(toVersion(toText(version), version.etag, true)).toEqual(version);
        expect(hasIntent(toText(version))).toBe(true);
        expect(hasIntent(toText({ ...version, intent: undefined }))).toBe(false);
      }),
    );
    const deletes = { ...first, intent: intent({ write: { json: null, ttlMs: null } }) };
    expect(toVersion(toText(deletes), first.etag, true)).toEqual(deletes);
    expect(toText(first)).toBe('1 - -\n"old"');
    expect(toVersion('1 - -\n"old"', first.etag, true)).not.toHaveProperty("intent");
  });
});
