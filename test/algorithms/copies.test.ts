import { describe, expect, test } from "vitest";
import { type Copy, type Differing, differingCopies } from "../../src/algorithms/copies.js";

// Three primaries, and what each has of one member: `-`: nothing; `?`: it does not answer; else incarnation.revision, then
// `x` for the tombstone of a leave, `e` for that of one that expired, `'` for other content, `~` for what ends soon, `l` for
// what has lapsed.

interface Record extends Copy {
  readonly content: string;
}

function record(text: string): Record {
  const [, incarnation, revision, mark] = /^(\d)\.(\d)(.?)$/.exec(text) ?? [];
  return {
    id: "m",
    incarnation: Number(incarnation),
    revision: Number(revision),
    expired: mark === "e" ? "own" : null,
    left: mark === "x",
    content: mark === "'" ? "other" : "",
    expiresInMs: mark === "~" ? 900 : mark === "l" ? -1 : 10_000,
  };
}

const repliesOf = (seen: readonly string[]) =>
  seen.map((text) => (text === "?" ? null : text === "-" ? [] : [record(text)]));

function compared(seen: readonly string[], majority = Math.floor(seen.length / 2) + 1): Differing<Record>[] {
  return differingCopies(repliesOf(seen), majority, ({ content }) => content, 1_000);
}

const tell = (found: readonly Differing<Record>[]) =>
  found
    .map(({ difference, place, isRepairable }) => `${"ABCDE"[place]} ${difference}${isRepairable ? "" : "!"}`)
    .join(", ");

// what | A | B | C | what differs; `!`: nothing is copied
const TABLE = `
  alike                                                     | 1.1  | 1.1  | 1.1  |
  nowhere                                                   | -    | -    | -    |
  missing at one                                            | 1.1  | 1.1  | -    | C missing
  an older revision at one                                  | 1.2  | 1.2  | 1.1  | C stale
  an older incarnation at one                               | 2.1  | 1.7  | 2.1  | B stale
  the tombstone of an older incarnation at one              | 2.1  | 2.1  | 1.1x | C stale
  the rest of a member that expired, or of a registration   | 1.1  | -    | -    | A unconfirmed!
  a newer revision that only one has                        | 1.2  | 1.1  | 1.1  | A unconfirmed!
  a newer revision and nothing else                         | 1.2  | 1.1  | -    | A unconfirmed!
  three opinions                                            | 3.1  | 2.1  | 1.1  | A unconfirmed!
  other content under the same version                      | 1.1  | 1.1  | 1.1' | C diverged!
  a leave that only one knows of                            | 1.1  | 1.1x | 1.1  | A stale, C stale
  a leave that one has not heard of                         | 1.1x | 1.1x | 1.1  | C stale
  a leave that one has lost                                 | 1.1x | -    | 1.1x | B missing
  a leave, beside a later registration                      | 1.1x | 2.1  | 2.1  | A stale
  a leave, beside the rest of a later registration          | 1.1x | 1.1x | 2.1  | C unconfirmed!
  one does not answer                                       | 1.1  | 1.1  | ?    |
  one does not answer, and one lacks it: nobody can tell    | 1.1  | -    | ?    |
  one does not answer, and one has a newer revision         | 1.2  | 1.1  | ?    |
  one does not answer, and one has not heard of a leave     | 1.1x | 1.1  | ?    | B stale
  what ends soon                                            | 1.1~ | 1.1~ | -    |
`;

describe("of a member, the primaries have", () => {
  const rows = TABLE.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  test.each(rows.filter((cells) => cells.length > 1))(
    "%s",
    (_what, a = "", b = "", c = "", expected = "") => {
      expect(tell(compared([a, b, c]))).toBe(expected);
    },
  );

  test("one of which says that it has expired: nothing is copied, whatever the others have", () => {
    for (const seen of ["1.1e 1.1 1.1", "1.1e 1.1 -", "1.1e 1.2 1.2", "1.1e 1.1e -"])
      expect(tell(compared(seen.split(" ")))).toBe("");
    expect(tell(compared(["1.1e", "2.1", "2.1"]))).toBe("A stale");
  });

  test("in one that has lapsed: it is missing there", () => {
    expect(tell(compared(["1.1l", "1.1", "1.1"]))).toBe("A missing");
    expect(tell(compared(["1.1l", "1.1l", "1.1l"]))).toBe("");
  });

  test("in five copies: three that are alike count", () => {
    expect(tell(compared(["1.1", "1.1", "1.1", "-", "?"]))).toBe("D missing");
    expect(tell(compared(["1.1", "1.1", "-", "-", "-"]))).toBe("A unconfirmed!, B unconfirmed!");
    expect(tell(compared(["1.1", "1.1", "-", "-", "?"]))).toBe("");
  });

  test("in copies that end at different times: the longest is what all should have", () => {
    const replies = [[{ ...record("1.1"), expiresInMs: 5_000 }], [record("1.1")], []];
    const [found] = differingCopies(replies, 2, ({ content }) => content, 1_000);
    expect(found?.expected.expiresInMs).toBe(10_000);
  });
});

describe("whatever the primaries have, no record is copied that is gone", () => {
  const ALL = ["?", "-", "1.1", "1.1x", "1.2", "1.2x", "2.1", "2.1x", "1.1'"];
  /** What would be revived: a live record that no majority hold, or one of a member that left. */
  function revived(majority?: number): string[] {
    const found: string[] = [];
    for (const a of ALL)
      for (const b of ALL)
        for (const c of ALL) {
          const seen = [a, b, c];
          for (const { expected, isRepairable } of compared(seen, majority)) {
            if (!isRepairable || expected.left) continue;
            const all = repliesOf(seen).flatMap((reply) => reply ?? []);
            const same = all.filter((one) => JSON.stringify(one) === JSON.stringify(expected)).length;
            const hasLeft = all.some((one) => one.left && one.incarnation >= expected.incarnation);
            if (same < 2 || hasLeft) found.push(seen.join(" "));
          }
        }
    return found;
  }

  test("in all cases of three primaries", () => {
    expect(revived()).toEqual([]);
  });

  test("which is found out where one copy is enough", () => {
    expect(revived(1).length).toBeGreaterThan(10);
  });
});
