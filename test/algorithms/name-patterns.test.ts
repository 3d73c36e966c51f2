import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NamePatterns } from "../../src/algorithms/name-patterns.js";

describe("a pattern", () => {
  test.each([
    ["search", "search", true],
    ["search", "search-2", false],
    ["search", "Search", false],
    ["orders-*", "orders-", true],
    ["orders-*", "orders-42", true],
    ["orders-*", "orders", false],
    ["orders-*", "Orders-42", false],
    ["*", "", true],
    ["**", "x", true],
    ["*-eu", "orders-eu", true],
    ["*-eu", "orders-eu-2", false],
    ["a*b*c", "abc", true],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "acb", false],
    ["a*a", "a", false],
    ["a*ba", "aba", true],
    ["a*ab*b", "aab", false],
    ["a.c", "abc", false],
    ["a*", "ａ-full-width", false],
    ["caf\u00e9", "cafe\u0301", false],
  ])("%s: %s is %s", (pattern, name, matches) => {
    expect(new NamePatterns([pattern]).match(name)).toBe(matches);
  });

  test("that is long and full of * is matched in no time", () => {
    const pattern = `${"a*".repeat(60)}b`;
    const name = "a".repeat(100_000);
    const startMs = performance.now();
    expect(new NamePatterns([pattern]).match(name)).toBe(false);
    expect(performance.now() - startMs).toBeLessThan(100);
  });
});

/** The meaning of a pattern, letter by letter. */
function means(pattern: string, name: string): boolean {
  if (pattern === "") return name === "";
  const [first, rest] = [pattern[0], pattern.slice(1)];
  if (first === "*") return means(rest, name) || (name !== "" && means(pattern, name.slice(1)));
  return name[0] === first && means(rest, name.slice(1));
}

test("of any patterns and names means the same as letter by letter", () => {
  const text = (letters: string) =>
    fc.array(fc.constantFrom(...letters), { maxLength: 8 }).map((all) => all.join(""));
  fc.assert(
    fc.property(fc.array(text("ab*"), { maxLength: 3 }), text("ab"), (patterns, name) => {
      const expected = patterns.some((pattern) => means(pattern, name));
      expect(new NamePatterns(patterns).match(name)).toBe(expected);
    }),
    { numRuns: 5_000 },
  );
});

describe("what all names that match begin with", () => {
  test.each([
    [["orders-*"], "orders-"],
    [["orders-*", "orders-eu-1", "or*-x"], "or"],
    [["search"], "search"],
    [["search", "search-2"], "search"],
    [["orders-*", "payments"], ""],
    [["*-eu", "orders-eu"], ""],
    [["a*b", "*"], ""],
    [[], ""],
  ])("of %s is %o", (patterns, beginning) => {
    expect(new NamePatterns(patterns).commonBeginning).toBe(beginning);
  });

  test("is that of each name that matches, and no longer one is", () => {
    const text = (letters: string) =>
      fc.array(fc.constantFrom(...letters), { maxLength: 6 }).map((all) => all.join(""));
    fc.assert(
      fc.property(fc.array(text("ab*"), { minLength: 1, maxLength: 3 }), text("ab"), (texts, name) => {
        const patterns = new NamePatterns(texts);
        const { commonBeginning } = patterns;
        if (patterns.match(name)) expect(name.startsWith(commonBeginning)).toBe(true);
        // Each * stands for nothing, for an a, or for a b: whatever is common to the names that this gives.
        const names = texts.flatMap((pattern) => ["", "a", "b"].map((star) => pattern.replaceAll("*", star)));
        const longest = names.reduce((one, other) => {
          let length = 0;
          while (length < one.length && one[length] === other[length]) length++;
          return one.slice(0, length);
        });
        expect(commonBeginning).toBe(patterns.all ? "" : longest);
      }),
      { numRuns: 3_000 },
    );
  });
});
