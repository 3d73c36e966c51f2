import fc from "fast-check";
import { expect, test } from "vitest";
import { madeHere, systemIds } from "../src/ids.js";
import { Namespace, withoutNamespace } from "../src/namespace.js";

const name = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/),
  fc.constantFrom("default", "a", "a.b", "aa", "z", "0"),
);
const leaseId = fc.stringMatching(/^[A-Za-z0-9_-]{22,64}$/);

test("a name of `default` stays what it is", () => {
  fc.assert(
    fc.property(fc.oneof(name, leaseId), (one) => {
      expect(new Namespace("default").inner(one)).toBe(one);
      expect(Namespace.default.outer(one)).toBe(one);
    }),
  );
  expect(Namespace.default.isDefault).toBe(true);
  expect(new Namespace("Default").isDefault).toBe(false);
});

test("a name of another namespace begins with it, in a way that no name of the API can", () => {
  expect(new Namespace("team-a").inner("orders")).toBe("~team-a~orders");
});

test("a name comes back as it went in, and its namespace as well", () => {
  fc.assert(
    fc.property(name, fc.oneof(name, leaseId), (space, one) => {
      const namespace = new Namespace(space);
      const inner = namespace.inner(one);
      expect(namespace.outer(inner)).toBe(one);
      expect(withoutNamespace(inner)).toBe(one);
      expect(Namespace.of(inner).name).toBe(space);
      // Of the beginning of names, as a list has it.
      expect(Namespace.of(namespace.inner("")).name).toBe(space);
      expect(namespace.has(inner)).toBe(true);
    }),
  );
});

test("names of two namespaces are never the same, and each has its own only", () => {
  fc.assert(
    fc.property(name, name, name, name, (space, other, one, two) => {
      fc.pre(space !== other);
      const inner = new Namespace(other).inner(two);
      expect(new Namespace(space).inner(one)).not.toBe(inner);
      expect(new Namespace(space).has(inner)).toBe(false);
    }),
  );
});

test("all names of `default` sort before those of others, and each namespace is one range", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, name), { minLength: 2, maxLength: 30 }), (all) => {
      const sorted = all.map(([space, one]) => new Namespace(space).inner(one)).sort();
      const spaces = sorted.map((inner) => Namespace.of(inner).name);
      const changes = spaces.filter((space, at) => space !== spaces[at - 1]);
      expect(new Set(changes).size).toBe(changes.length);
      expect(changes.indexOf("default")).toBeLessThanOrEqual(0);
    }),
  );
});

test("a leaseId made here is known as such in every namespace, and no other is", () => {
  for (const namespace of [Namespace.default, new Namespace("team-a")]) {
    expect(madeHere(namespace.inner(systemIds.leaseId()))).toBe(true);
    expect(madeHere(namespace.inner("x".repeat(24)))).toBe(false);
    expect(madeHere(namespace.inner(`${systemIds.leaseId()}x`))).toBe(false);
  }
  // The name of a namespace makes none of a leaseId that its caller chose.
  expect(madeHere(new Namespace("q-").inner("x".repeat(22)))).toBe(false);
});
