import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Electorate, later, mergeMembers, type Versioned } from "../../src/algorithms/members.js";

const timed = (newest: Versioned, other: Versioned): Versioned => ({
  ...newest,
  expiresInMs: Math.max(newest.expiresInMs, other.expiresInMs),
});
const THREE: Electorate = { primaries: 3, majority: 2 };
const FIVE: Electorate = { primaries: 5, majority: 3 };

/**
 * `3.1` is incarnation 3, revision 1; `3.1x` has left; `3.1e` has expired there, `3.1c` elsewhere; `@50` lives for another 50
 * ms; `@-5` has lapsed.
 */
function record(text: string, id = "a"): Versioned {
  const [, incarnation, revision, mark, expiresInMs] = /^(\d+)\.(\d+)([xec]?)@?(-?\d*)$/.exec(text) ?? [];
  return {
    id,
    incarnation: Number(incarnation),
    revision: Number(revision),
    left: mark === "x",
    expired: mark === "e" ? "own" : mark === "c" ? "copied" : null,
    expiresInMs: expiresInMs ? Number(expiresInMs) : 10,
  };
}

const markOf = ({ left, expired }: Versioned) =>
  left ? "x" : expired === "own" ? "e" : expired === "copied" ? "c" : "";
const inWords = (one: Versioned) =>
  `${one.incarnation}.${one.revision}${markOf(one)}${one.expiresInMs === 10 ? "" : `@${one.expiresInMs}`}`;

/** `-`: this primary does not have the member. */
const columns = (replies: string) => replies.split(" ").map((text) => (text === "-" ? [] : [record(text)]));

function merge(replies: string, electorate = THREE) {
  const [only, ...others] = mergeMembers(columns(replies), electorate, timed);
  expect(others).toEqual([]);
  if (!only) throw new Error("it is lost");
  return only;
}

describe("replies of the primaries, one column each: what is known, and who is behind", () => {
  test.each([
    ["3.1 3.1 3.1", "live", "3.1", []],
    ["3.1 - 3.1", "live", "3.1", [1]],
    ["- - 3.1", "live", "3.1", [0, 1]],
    ["3.1 4.1 3.1", "live", "4.1", [0, 2]],
    ["3.1 3.2 3.1", "live", "3.2", [0, 2]],
    ["3.1@20 3.1@80 3.1@50", "live", "3.1@80", []],
    ["3.1@90 4.1", "live", "4.1", [0]],
    ["4.1 3.1@90", "live", "4.1", [1]],
    // A leave, wherever it is; even before a change that it had not seen.
    ["3.1x 3.2 3.1", "left", "3.1x", [1, 2]],
    ["3.1x 4.1 3.1", "live", "4.1", [0, 2]],
    ["3.1x 3.1e 3.1e", "left", "3.1x", [1, 2]],
    ["3.2x 3.1x -", "left", "3.2x", [1, 2]],
    // It lives where any deadline has not passed, with the newest that any knows.
    ["3.1@-5 3.1 3.1@-9", "live", "3.1", [0, 2]],
    ["3.2@-5 3.1 -", "live", "3.2", [0, 1, 2]],
    ["3.1@-5 3.1@-1 -", "lapsed", "3.1@-1", []],
    ["3.1@-5 3.1e -", "lapsed", "3.1@-5", []],
    ["- 3.1e -", "lapsed", "3.1e", []],
    // Expired, as a majority of all say.
    ["3.1e 3.1e 3.1", "expired", "3.1e", [2]],
    ["3.1e 3.1e 3.2", "expired", "3.1e", [2]],
    // A change that failed left a later one, which has ended there.
    ["3.1e 3.1e 3.2e", "expired", "3.1e", []],
    ["3.2e 3.1e 3.1e", "expired", "3.1e", []],
    ["3.1e 3.1e", "expired", "3.1e", []],
    ["3.1e 3.1e 4.1", "live", "4.1", [0, 1]],
    // A minority hides nobody, and is not overruled before a majority have outlived it.
    ["3.1e 3.1 3.1", "live", "3.1", []],
    ["3.1e 3.1 -", "live", "3.1", [2]],
    ["3.1e 3.1 3.1@-5", "live", "3.1", [2]],
    ["3.1e 3.2 3.1", "live", "3.2", [2]],
    ["3.1e 3.2 3.2", "live", "3.2", [0]],
    ["3.1e 3.2 3.2e", "doubtful", "3.2", []],
    // Who cannot be asked may be the second to say so.
    ["3.1e 3.1", "doubtful", "3.1", []],
    ["3.1e 3.2", "doubtful", "3.2", []],
    ["3.1 3.1", "live", "3.1", []],
    // What was copied is nobody's word.
    ["3.1e 3.1c 3.1", "doubtful", "3.1", []],
    ["3.1c 3.1c 3.1", "live", "3.1", []],
  ] as const)("%s: %s, %s", (replies, state, newest, behind) => {
    const merged = merge(replies);
    expect([merged.state, inWords(merged.record)]).toEqual([state, newest]);
    expect(merged.staleAt).toEqual(behind);
  });

  test.each([
    ["3.1e 3.1e 3.1 3.1 3.1", "live"],
    ["3.1e 3.1e 3.1e 3.1 3.1", "expired"],
    ["3.1e 3.1 3.1 3.1", "live"],
    ["3.1e 3.1 3.1", "doubtful"],
    ["3.1e 3.1e 3.2 3.2 3.2", "live"],
  ] as const)("of five: %s: %s", (replies, state) => {
    expect(merge(replies, FIVE).state).toBe(state);
  });

  test("what is told of a member that lives is its latest revision, though that has expired where it was made", () => {
    const { state, record: oldest, latest } = merge("3.2e 3.1");
    expect([state, inWords(oldest), inWords(latest)]).toEqual(["doubtful", "3.1", "3.2e"]);
    expect(inWords(merge("3.1e 3.2 3.1").latest)).toBe("3.2");
  });

  test("tombstones of one that expired are replaced once a majority have outlived them", () => {
    expect(merge("3.1e 3.2 3.2")).toMatchObject({ voids: true, isDisputed: false, staleAt: [0] });
    expect(merge("3.1e 3.1 3.1")).toMatchObject({ voids: false, isDisputed: true });
    expect(merge("3.1e 3.2 3.1")).toMatchObject({ voids: false, isDisputed: true });
    expect(merge("3.1 3.2 3.1")).toMatchObject({ voids: false, isDisputed: false });
  });

  test("no replies, and replies without members, make none", () => {
    expect(mergeMembers([], THREE, timed)).toEqual([]);
    expect(mergeMembers([[], []], THREE, timed)).toEqual([]);
  });
});

const anyRecord = fc.record({
  id: fc.constantFrom<string[]>("a", "b", "c"),
  incarnation: fc.integer({ min: 1, max: 3 }),
  revision: fc.integer({ min: 1, max: 3 }),
  left: fc.boolean(),
  expired: fc.constantFrom<("own" | "copied" | null)[]>(null, null, "own", "copied"),
  expiresInMs: fc.integer({ min: -2, max: 3 }),
});
// A primary has one record a member.
const reply = fc.uniqueArray(anyRecord, { selector: ({ id }) => id });
const anyReplies = fc.array(reply, { minLength: 1, maxLength: 5 });

const byId = (one: { record: Versioned }, other: { record: Versioned }) =>
  one.record.id < other.record.id ? -1 : 1;

test("the order of the primaries makes no difference", () => {
  fc.assert(
    fc.property(anyReplies, (replies) => {
      const told = (all: readonly (readonly Versioned[])[]) =>
        mergeMembers(all, FIVE, timed)
          .sort(byId)
          .map(({ state, record: { id, incarnation, revision, expiresInMs } }) => [
            ...[state, id, incarnation, revision, expiresInMs],
          ]);
      expect(told([...replies].reverse())).toEqual(told(replies));
    }),
  );
});

test("every member that any primary has is there once, as its latest incarnation", () => {
  fc.assert(
    fc.property(anyReplies, (replies) => {
      const merged = mergeMembers(replies, FIVE, timed);
      const all = replies.flat();
      expect(merged.map(({ record }): string => record.id).sort()).toEqual(
        [...new Set(all.map(({ id }) => id))].sort(),
      );
      for (const { record } of merged) {
        const others = all.filter(({ id }) => id === record.id).map(({ incarnation }) => incarnation);
        expect(record.incarnation).toBe(Math.max(...others));
      }
    }),
  );
});

// The wrong rule would be: alive only where a majority of the replies have it live.
test("a member that is live on one primary is never gone, unless it left or a majority say that it expired", () => {
  fc.assert(
    fc.property(anyReplies, (replies) => {
      for (const { state, record } of mergeMembers(replies, FIVE, timed)) {
        const known = replies.flat().filter(({ id, incarnation }) => {
          return id === record.id && incarnation === record.incarnation;
        });
        const isLive = known.some((one) => !one.left && one.expired === null && one.expiresInMs > 0);
        const votes = known.filter((one) => !one.left && one.expired === "own").length;
        const hasLeft = known.some(({ left }) => left);
        if (isLive && !hasLeft && votes < FIVE.majority) expect(["live", "doubtful"]).toContain(state);
        if (!isLive) expect(["left", "expired", "lapsed"]).toContain(state);
      }
    }),
  );
});

// What a read that lacks some replies says is never contradicted by one that has them all.
test("who cannot be heard changes nothing that was said without doubt", () => {
  fc.assert(
    fc.property(fc.array(reply, { minLength: 5, maxLength: 5 }), (replies) => {
      const stateOf = (all: readonly (readonly Versioned[])[], id: string) =>
        mergeMembers(all, FIVE, timed).find(({ record }) => record.id === id);
      for (const id of ["a", "b", "c"]) {
        const whole = stateOf(replies, id);
        const part = stateOf(replies.slice(0, 3), id);
        if (!part || part.record.incarnation !== whole?.record.incarnation) continue;
        if (part.state === "expired") expect(["expired", "left"]).toContain(whole?.state);
        if (part.state === "live") expect(["live", "left", "doubtful"]).toContain(whole?.state);
      }
    }),
  );
});

describe("a record that is under way for some time", () => {
  const record = { expiresInMs: 900, endsInMs: 1_000, heartbeatAgeMs: 100, goneForMs: 50, id: "m" };

  test("has less of what is left, and more of what has passed", () => {
    const after = { expiresInMs: 797, endsInMs: 897, heartbeatAgeMs: 203, goneForMs: 153, id: "m" };
    expect(later(record, 102.4)).toEqual(after);
  });

  test("ends at once where its end has come, and has expired where its time is over", () => {
    expect(later(record, 2_000)).toMatchObject({ expiresInMs: -1_100, endsInMs: 0 });
  });

  test("keeps what it does not have", () => {
    const open = { expiresInMs: 900, endsInMs: null, heartbeatAgeMs: 100 };
    expect(later(open, 10)).toEqual({ expiresInMs: 890, endsInMs: null, heartbeatAgeMs: 110 });
    expect(later({ ...open, goneForMs: null }, 10)).toMatchObject({ goneForMs: null });
  });
});
