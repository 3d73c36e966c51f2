import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nameOf } from "../../src/client/redlock-names.js";

// Half a surrogate pair is no text. (To make the unit "binary" of fast-check takes a second.)
const anyCharacter = fc
  .oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 0x10ffff }))
  .map((code) => String.fromCodePoint(code >= 0xd800 && code <= 0xdfff ? 0x2f : code));

describe("the name of a resource", () => {
  test.each([
    ["orders-42", "orders-42"],
    ["a_b", "a_b"],
    ["/a_b", "redlock:_2fa_5fb"],
    ["{redlock}users/42", "redlock:_7bredlock_7dusers_2f42"],
    ["redlock:a", "redlock:redlock:a"],
    ["", "redlock:"],
    ["ü", "redlock:_c3_bc"],
  ])("%j is %s", (resource, name) => {
    expect(nameOf(resource)).toBe(name);
  });

  test("is a name of the service, and of no other resource", () => {
    const seen = new Map<string, string>();
    const resources = fc.oneof(
      fc.string({ unit: anyCharacter, maxLength: 10 }),
      fc.stringMatching(/^(redlock:)?[a-z_/5f]{0,6}$/),
    );
    fc.assert(
      fc.property(resources, (resource) => {
        const name = nameOf(resource);
        const isOwn = (seen.get(name) ?? resource) === resource;
        seen.set(name, resource);
        return isOwn && /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(name);
      }),
      { numRuns: 200 },
    );
  });

  test("is refused where it would be too long", () => {
    expect(() => nameOf("/".repeat(60))).toThrow("too long");
    expect(nameOf("a".repeat(128))).toHaveLength(128);
    expect(() => nameOf("a".repeat(129))).toThrow("too long");
  });
});
