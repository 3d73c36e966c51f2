import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ACTIONS,
  type Action,
  describeMissing,
  type Grant,
  Grants,
  KINDS,
  type Kind,
  type Need,
} from "../../src/access/grants.js";

const TEAM_A: Grant = {
  namespace: "a",
  kinds: ["locks", "members"],
  names: ["orders-*", "search"],
  actions: ["read", "use"],
};

function allows(grants: readonly Grant[], need: Partial<Need>): boolean {
  const whole: Need = { namespace: "a", kind: "locks", names: ["search"], action: "use", ...need };
  return new Grants(grants).missing(whole) === undefined;
}

describe("a grant", () => {
  test.each<[string, boolean, Partial<Need>]>([
    ["an exact name", true, { names: ["search"] }],
    ["a name by its prefix", true, { names: ["orders-42"] }],
    ["several names, each of them", true, { names: ["orders-1", "search", "orders-2"] }],
    ["several names, one of them not", false, { names: ["orders-1", "billing"] }],
    ["no name at all, as a list asks", true, { names: [] }],
    ["the other kind", true, { kind: "members" }],
    ["a kind that is not there", false, { kind: "semaphores" }],
    ["all kinds", false, { kind: "*" }],
    ["an action that is not there", false, { action: "operate" }],
    ["another namespace", false, { namespace: "b" }],
    ["a longer namespace", false, { namespace: "a-2" }],
    ["all namespaces", false, { namespace: "*" }],
    ["the namespace in capitals", false, { namespace: "A" }],
    ["the namespace with a letter that looks like it", false, { namespace: "\u0430" }],
    ["a name in capitals", false, { names: ["SEARCH"] }],
    ["a name with a letter that looks like it", false, { names: ["se\u0430rch"] }],
    ["a name with what cannot be seen", false, { names: ["search\u200b"] }],
    ["a name with its end cut off", false, { names: ["search\u0000"] }],
    ["a name as a path has it", false, { names: ["%73earch"] }],
    ["a name from another namespace", false, { names: ["b~search"] }],
    ["the empty name", false, { names: [""] }],
    ["a name that is an object's own", false, { names: ["__proto__"] }],
  ])("for %s: %s", (_, expected, need) => {
    expect(allows([TEAM_A], need)).toBe(expected);
  });

  test("operate, use and read imply none of the others", () => {
    for (const granted of ACTIONS) {
      for (const action of ACTIONS) {
        const grant: Grant = { namespace: "*", kinds: ["*"], names: ["*"], actions: [granted] };
        expect(allows([grant], { action })).toBe(action === granted);
      }
    }
  });

  test("for * has every namespace, kind and name, and what concerns all of them", () => {
    const ops: Grant = { namespace: "*", kinds: ["*"], names: ["*"], actions: ["operate"] };
    expect(allows([ops], { action: "operate", names: ["anything"], kind: "registers", namespace: "z" })).toBe(
      true,
    );
    expect(allows([ops], { action: "operate", names: [], kind: "*", namespace: "*" })).toBe(true);
  });

  test("for every kind by its name has not all kinds, and a prefix of namespaces not all namespaces", () => {
    const grant: Grant = { namespace: "team-*", kinds: KINDS, names: ["*"], actions: ["read"] };
    expect(allows([grant], { action: "read", kind: "*", namespace: "team-a", names: [] })).toBe(false);
    expect(allows([grant], { action: "read", kind: "locks", namespace: "team-a", names: [] })).toBe(true);
    expect(allows([grant], { action: "read", kind: "locks", namespace: "*", names: [] })).toBe(false);
  });

  test("several grants together have the names of one lease, but not the parts of one grant", () => {
    const orders: Grant = { namespace: "a", kinds: ["locks"], names: ["orders"], actions: ["use"] };
    const search: Grant = { namespace: "a", kinds: ["locks"], names: ["search"], actions: ["use"] };
    const elsewhere: Grant = { namespace: "b", kinds: ["locks"], names: ["billing"], actions: ["use"] };
    expect(allows([orders, search, elsewhere], { names: ["orders", "search"] })).toBe(true);
    expect(allows([orders, search, elsewhere], { names: ["orders", "billing"] })).toBe(false);
  });

  test("none allows nothing", () => {
    expect(allows([], { names: [] })).toBe(false);
    expect(allows([], {})).toBe(false);
  });
});

test("the first name that is not granted is told, in words that repeat the request alone", () => {
  const missing = new Grants([TEAM_A]).missing({
    namespace: "a",
    kind: "locks",
    names: ["search", "billing", "invoices"],
    action: "use",
  });
  expect(missing).toEqual({ namespace: "a", kind: "locks", name: "billing", action: "use" });
  expect(missing && describeMissing(missing)).toBe(
    'This key has no grant for the action use on locks in namespace "a" with a name that matches "billing".',
  );
  expect(describeMissing({ namespace: "*", kind: "*", name: undefined, action: "operate" })).toBe(
    "This key has no grant for the action operate on every kind in every namespace.",
  );
});

test("a list shows what the key may read, and nothing else", () => {
  const may = new Grants([TEAM_A]).granted({ namespace: "a", kind: "locks", action: "read" });
  expect(["billing", "orders-1", "search", "Search"].filter((name) => may.match(name))).toEqual([
    "orders-1",
    "search",
  ]);
  const other = new Grants([TEAM_A]).granted({ namespace: "b", kind: "locks", action: "read" });
  expect(["billing", "orders-1", "search"].filter((name) => other.match(name))).toEqual([]);
  const all = new Grants([{ ...TEAM_A, names: ["*"] }]).granted({
    namespace: "a",
    kind: "locks",
    action: "read",
  });
  expect(["billing", "orders-1"].filter((name) => all.match(name))).toEqual(["billing", "orders-1"]);
});

describe("of any grants", () => {
  const letters = fc
    .array(fc.constantFrom(..."abA"), { minLength: 1, maxLength: 3 })
    .map((all) => all.join(""));
  const pattern = fc.oneof(
    letters,
    letters.map((text) => `${text}*`),
    letters.map((text) => `*${text}`),
    fc.constant("*"),
  );
  const some = <T>(of: readonly T[]) =>
    fc.uniqueArray(fc.constantFrom(...of), { minLength: 1, maxLength: 3 });
  const grant: fc.Arbitrary<Grant> = fc.record({
    namespace: pattern,
    kinds: some<Kind | "*">([...KINDS.slice(0, 3), "*"]),
    names: fc.array(pattern, { minLength: 1, maxLength: 3 }),
    actions: some<Action>(ACTIONS),
  });
  const need: fc.Arbitrary<Need> = fc.record({
    namespace: fc.oneof(letters, fc.constant("*")),
    kind: fc.constantFrom<Kind | "*">(...KINDS.slice(0, 3), "*"),
    names: fc.array(letters, { maxLength: 3 }),
    action: fc.constantFrom<Action>(...ACTIONS),
  });

  /** The rule as one reads it, by regular expressions and without an index. */
  const matches = (text: string, one: string) => new RegExp(`^${one.replaceAll("*", "[^]*")}$`).test(text);
  const about = (each: Grant, { namespace, kind, action }: Need) =>
    matches(namespace, each.namespace) &&
    (each.kinds.includes("*") || each.kinds.some((one) => one === kind)) &&
    each.actions.includes(action);
  const model = (grants: readonly Grant[], asked: Need): boolean => {
    const fitting = grants.filter((each) => about(each, asked));
    if (asked.names.length === 0) return fitting.length > 0;
    return asked.names.every((name) => fitting.some((each) => each.names.some((one) => matches(name, one))));
  };

  test("the same is allowed as by the model", () => {
    let allowed = 0;
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 6 }), need, (grants, asked) => {
        const missing = new Grants(grants).missing(asked);
        if (missing === undefined) allowed++;
        expect(missing === undefined).toBe(model(grants, asked));
      }),
      { numRuns: 5_000 },
    );
    // Both answers were seen often.
    expect(allowed).toBeGreaterThan(500);
    expect(allowed).toBeLessThan(4_500);
  });

  test("a list shows each name exactly where it could be read by itself", () => {
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 6 }), need, (grants, asked) => {
        const compiled = new Grants(grants);
        const granted = compiled.granted(asked);
        const shown = asked.names.filter((name) => granted.match(name));
        expect(shown).toEqual(asked.names.filter((name) => model(grants, { ...asked, names: [name] })));
      }),
      { numRuns: 2_000 },
    );
  });

  test("a known-wrong rule differs from the model: kinds and namespaces of different grants together", () => {
    const wrong = (grants: readonly Grant[], asked: Need) =>
      grants.some((each) => about(each, { ...asked, namespace: each.namespace })) &&
      grants.some((each) => matches(asked.namespace, each.namespace));
    const differs = fc.check(
      fc.property(fc.array(grant, { maxLength: 6 }), need, (grants, asked) => {
        const none = { ...asked, names: [] };
        return wrong(grants, none) === model(grants, none);
      }),
      { numRuns: 5_000 },
    );
    expect(differs.failed).toBe(true);
  });
});
