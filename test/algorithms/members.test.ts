import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareVersions, mergeMembers, type Versioned } from "../../src/algorithms/members.js";

interface Record extends Versioned {
  readonly expiresInMs: number;
}

const longer = (one: Record, other: Record) => (one.expiresInMs >= other.expiresInMs ? one : other);

/** `3.1` is incarnation 3, revision 1; `3.1x` its tombstone; `@50` lives for another 50 ms. */
function record(text: string, id = "a"): Record {
  const [, incarnation, revision, left, expiresInMs] = /^(\d+)\.(\d+)(x?)@?(\d*)$/.exec(text) ?? [];
  return {
    id,
    incarnation: Number(incarnation),
    revision: Number(revision),
    left: left === "x",
    expiresInMs: Number(expiresInMs),
  };
}

const inWords = ({ incarnation, revision, left, expiresInMs }: Record) =>
  `${incarnation}.${revision}${left ? "x" : ""}${expiresInMs ? `@${expiresInMs}` : ""}`;

describe("the newer of two records of one member", () => {
  test.each([
    { newer: "4.1", older: "3.9", why: "a later registration" },
    { newer: "4.1", older: "3.9x", why: "a registration after the leave of an earlier one" },
    { newer: "3.2", older: "3.1", why: "a later change" },
    { newer: "3.1x", older: "3.1", why: "a leave" },
    { newer: "3.1x", older: "3.2", why: "a leave, even before a change that it had not seen" },
    { newer: "3.2x", older: "3.1x", why: "the later of two leaves" },
  ])("$newer comes before $older: $why", ({ newer, older }) => {
    expect(compareVersions(record(newer), record(older))).toBeGreaterThan(0);
    expect(compareVersions(record(older), record(newer))).toBeLessThan(0);
    expect(compareVersions(record(newer), record(newer))).toBe(0);
  });
});

describe("replies of the primaries, one column each, and who is behind", () => {
  // `-`: this primary does not have the member.
  test.each([
    { replies: "3.1 3.1 3.1", merged: "3.1", behind: [] },
    { replies: "3.1 - 3.1", merged: "3.1", behind: [1] },
    { replies: "- - 3.1", merged: "3.1", behind: [0, 1] },
    { replies: "3.1 4.1 3.1", merged: "4.1", behind: [0, 2] },
    { replies: "3.1 3.2 3.1", merged: "3.2", behind: [0, 2] },
    { replies: "3.1x 3.2 3.1", merged: "3.1x", behind: [1, 2] },
    { replies: "3.1x 4.1 3.1", merged: "4.1", behind: [0, 2] },
    { replies: "3.1@20 3.1@80 3.1@50", merged: "3.1@80", behind: [] },
    { replies: "3.1@90 4.1@10", merged: "4.1@10", behind: [0] },
    { replies: "4.1@10 3.1@90", merged: "4.1@10", behind: [1] },
  ])("$replies make $merged", ({ replies, merged, behind }) => {
    const columns = replies.split(" ").map((text) => (text === "-" ? [] : [record(text)]));
    const [only, ...others] = mergeMembers(columns, longer);
    expect(others).toEqual([]);
    expect(only && inWords(only.record)).toBe(merged);
    expect(only?.staleAt).toEqual(behind);
  });

  test("no replies, and replies without members, make none", () => {
    expect(mergeMembers([], longer)).toEqual([]);
    expect(mergeMembers([[], []], longer)).toEqual([]);
  });
});

const anyRecord = fc.record({
  id: fc.constantFrom<string[]>("a", "b", "c"),
  incarnation: fc.integer({ min: 1, max: 3 }),
  revision: fc.integer({ min: 1, max: 3 }),
  left: fc.boolean(),
  expiresInMs: fc.integer({ min: 1, max: 3 }),
});
// A primary has one record a member.
const reply = fc.uniqueArray(anyRecord, { selector: ({ id }) => id });
const anyReplies = fc.array(reply, { minLength: 1, maxLength: 7 });

const byId = (one: { record: Record }, other: { record: Record }) =>
  one.record.id < other.record.id ? -1 : 1;

test("the order of the primaries makes no difference", () => {
  fc.assert(
    fc.property(anyReplies, (replies) => {
      const forth = mergeMembers(replies, longer).sort(byId);
      const back = mergeMembers([...replies].reverse(), longer).sort(byId);
      expect(back.map(({ record }) => record)).toEqual(forth.map(({ record }) => record));
    }),
  );
});

test("every member that any primary has is there once, by its newest record", () => {
  fc.assert(
    fc.property(anyReplies, (replies) => {
      const merged = mergeMembers(replies, longer);
      const all = replies.flat();
      expect(merged.map(({ record }): string => record.id).sort()).toEqual(
        [...new Set(all.map(({ id }) => id))].sort(),
      );
      for (const { record } of merged) {
        for (const other of all.filter(({ id }) => id === record.id)) {
          const order = compareVersions(record, other);
          expect(order > 0 || (order === 0 && record.expiresInMs >= other.expiresInMs)).toBe(true);
        }
      }
    }),
  );
});

test("a primary that was repaired as told is not behind any more", () => {
  fc.assert(
    fc.property(anyReplies, (replies) => {
      const repaired = replies.map((records) => new Map(records.map((each) => [each.id, each])));
      for (const { record, staleAt } of mergeMembers(replies, longer)) {
        for (const place of staleAt) repaired[place]?.set(record.id, record);
      }
      const again = mergeMembers(
        repaired.map((records) => [...records.values()]),
        longer,
      );
      expect(again.flatMap(({ staleAt }) => staleAt)).toEqual([]);
    }),
  );
});
