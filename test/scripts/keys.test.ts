import fc from "fast-check";
import { expect, test } from "vitest";
import { Namespace } from "../../src/namespace.js";
import { Keys } from "../../src/scripts/keys.js";

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/);
const nonce = fc.stringMatching(/^[A-Za-z0-9_-]{16}$/);
// Names that look like parts of keys are the ones that could go wrong.
const treacherous = fc.constantFrom(
  "gone",
  "hold",
  "member",
  "members",
  "suspect",
  "suspects",
  "services",
  "counters",
  "older",
  "lock",
  "readers",
  "permit",
  "semaphore",
  "election",
  "held",
  "line",
  "waiting",
  "lease",
  "instance",
  "wake",
  "purpose",
  "limit",
  "1",
  "a",
);
const namespace = fc
  .oneof(fc.constant("default"), name, treacherous, fc.constant("namespace"))
  .map((of) => new Namespace(of));
/** Names and leaseIds as they are below the routes. */
const within = (outer: fc.Arbitrary<string>) => fc.tuple(namespace, outer).map(([of, one]) => of.inner(one));
const anyName = within(fc.oneof(name, treacherous));
const leaseId = within(fc.stringMatching(/^[A-Za-z0-9_-]{22,64}$/));

const slot = fc.integer({ min: 1, max: 1_000 });
/** What can be held. */
const resource = fc.oneof(
  anyName.map((lock) => `lock/${lock}`),
  anyName.map((election) => `election/${election}`),
  fc.tuple(anyName, slot).map(([pool, one]) => `permit/${pool}/${one}`),
);

const keys = new Keys("q:");
/** Every key there is, with what it belongs to: the same key for two of them would be a mistake. */
const ownedIn = (keys: Keys) =>
  fc.oneof(
    fc.constantFrom("configuration", "counters", "countersOlder", "services", "held").map((field) => ({
      owner: field,
      key: keys[field as "configuration" | "counters" | "countersOlder" | "services" | "held"],
    })),
    // What is held, and behind it, as leases.lua has it, the set of readers and the hold of each.
    resource.map((one) => ({ owner: `hold of ${one}`, key: keys.hold(one) })),
    resource.map((one) => ({ owner: `readers of ${one}`, key: `${keys.hold(one)}/readers` })),
    fc.tuple(resource, leaseId).map(([one, id]) => ({
      owner: `reader ${id} of ${one}`,
      key: `${keys.hold(one)}/${id}`,
    })),
    // What is noted beside the slots of a semaphore, as leases.lua has it.
    anyName.map((pool) => ({ owner: `slots of ${pool}`, key: `${keys.holdsIn(`permit/${pool}/`)}slots` })),
    fc.tuple(anyName, leaseId).map(([pool, id]) => ({
      owner: `slots of ${id} in ${pool}`,
      key: `${keys.holdsIn(`permit/${pool}/`)}of/${id}`,
    })),
    fc
      .oneof(
        resource,
        anyName.map((pool) => `semaphore/${pool}`),
      )
      .map((one) => ({
        owner: `line of ${one}`,
        key: keys.queue(one),
      })),
    leaseId.map((id) => ({ owner: `place of ${id}`, key: `${keys.waiting}lease/${id}` })),
    nonce.map((id) => ({ owner: `instance ${id}`, key: keys.instance(id) })),
    nonce.map((id) => ({ owner: `channel of ${id}`, key: keys.notificationChannel(id) })),
    leaseId.map((id) => ({ owner: `purpose of ${id}`, key: keys.fingerprint(id) })),
    anyName.map((pool) => ({ owner: `limit of ${pool}`, key: keys.limit(pool) })),
    leaseId.map((id) => ({ owner: `lease ${id}`, key: keys.leaseTombstone(id) })),
    fc
      .tuple(leaseId, nonce)
      .map(([id, one]) => ({ owner: `attempt ${id} ${one}`, key: keys.attemptTombstone(id, one, 1) })),
    fc.tuple(anyName, anyName).map(([service, id]) => ({
      owner: `member ${service} ${id}`,
      key: keys.member(service, id),
    })),
    anyName.map((service) => ({ owner: `members of ${service}`, key: keys.members(service) })),
    fc.tuple(anyName, anyName).map(([service, id]) => ({
      owner: `reports about ${service} ${id}`,
      key: keys.reports(service, id),
    })),
    anyName.map((service) => ({ owner: `reported in ${service}`, key: keys.reported(service) })),
    fc.integer({ min: 1 }).map((version) => ({
      owner: `agreement on version ${version}`,
      key: keys.agreement(version),
    })),
  );

const owned = ownedIn(keys);

test("no two resources share a key, whatever namespaces they are in", () => {
  fc.assert(
    fc.property(fc.array(owned, { minLength: 2, maxLength: 40 }), (all) => {
      const owners = new Map<string, string>();
      for (const { owner, key } of all) {
        expect(owners.get(key) ?? owner).toBe(owner);
        owners.set(key, owner);
      }
    }),
    { numRuns: 500 },
  );
});

test("the keys of the namespace `default` are those that were stored before there were namespaces", () => {
  const { default: namespace } = Namespace;
  expect(keys.hold(`lock/${namespace.inner("a")}`)).toBe("q:hold/lock/a");
  expect(keys.member(namespace.inner("a"), "b")).toBe("q:member/a/b");
  expect(keys.limit(namespace.inner("a"))).toBe("q:limit/a");
  expect(keys.leaseTombstone(namespace.inner("a"))).toBe("q:gone/a");
  expect(keys.fingerprint(namespace.inner("a"))).toBe("q:purpose/a");
});

test("the members of no service lie under the prefix of another's", () => {
  fc.assert(
    fc.property(anyName, anyName, anyName, (one, other, id) => {
      fc.pre(one !== other);
      expect(keys.member(one, id).startsWith(keys.memberPrefix(other))).toBe(false);
    }),
  );
});

test("every key begins with the prefix, and nothing else depends on it", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), anyName, leaseId, nonce, (prefix, any, id, one) => {
      const all = (made: Keys) => [
        made.configuration,
        made.counters,
        made.countersOlder,
        made.services,
        made.hold(any),
        made.holdsIn(any),
        made.held,
        made.queue(any),
        made.waiting,
        made.instance(one),
        made.notificationChannel(one),
        made.fingerprint(id),
        made.limit(any),
        made.leaseTombstone(id),
        made.attemptTombstone(id, one, 1),
        made.member(any, any),
        made.members(any),
        made.reports(any, any),
        made.reported(any),
        made.probed,
        made.agreement(7),
      ];
      expect(all(new Keys(prefix))).toEqual(all(new Keys("")).map((key) => prefix + key));
    }),
  );
});

test("the patterns for SCAN find the keys of their kind, whatever the prefix has in it", () => {
  const awkward = fc.constantFrom("q:", "a*b?", "[x]", "\\\\", "");
  fc.assert(
    fc.property(awkward, anyName, leaseId, (prefix, any, id) => {
      const made = new Keys(prefix);
      // What Redis takes for a wildcard, but for the last one, is escaped.
      const literal = (pattern: string) => pattern.replaceAll(/\\(.)/g, "$1").slice(0, -1);
      expect(made.holdPattern.at(-1)).toBe("*");
      expect(made.hold(`lock/${any}`).startsWith(literal(made.holdPattern))).toBe(true);
      expect(`${made.hold(`lock/${any}`)}/${id}`.startsWith(literal(made.holdPattern))).toBe(true);
      expect(made.leaseTombstone(id).startsWith(literal(made.tombstonePattern))).toBe(true);
      expect(made.holdPattern.slice(0, -1)).not.toMatch(/(?<!\\)(?:\\\\)*[*?[\]]/);
    }),
  );
});

test("what begins with a lease, a name or a resource is spelled out by those who add the rest", () => {
  fc.assert(
    fc.property(resource, anyName, leaseId, slot, (one, pool, id, i) => {
      expect(keys.holdsIn() + one).toBe(keys.hold(one));
      expect(keys.holdsIn(`permit/${pool}/`) + i).toBe(keys.hold(`permit/${pool}/${i}`));
      expect(`${keys.waiting}instance/${id}`).toBe(keys.instance(id));
      expect(`${keys.waiting}wake/${id}`).toBe(keys.notificationChannel(id));
    }),
  );
});
