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
