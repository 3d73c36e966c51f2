import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nameOf } from "../../src/client/redlock-names.js";

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
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.stringMatching(/^(redlock:)?[a-z_/5f]{0,6}$/),
    );
    fc.assert(
      fc.property(resources, (resource) => {
        const name = nameOf(resource);
        expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/);
        expect(seen.get(name) ?? resource).toBe(resource);
        seen.set(name, resource);
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
