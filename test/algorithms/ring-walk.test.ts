import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { murmur3 } from "../../src/algorithms/murmur3.js";
import { buildRing, type Ring, type RingMember } from "../../src/algorithms/ring.js";
import { pointsForWeight } from "../../src/algorithms/ring-points.js";
import { indexFirstMeetings, Walk } from "../../src/algorithms/ring-walk.js";
import { atOnce } from "../../src/algorithms/steps.js";

// The order of preference by looking at one point after the other, which takes as long as there are points. What the ring
// answers by its index must be the same.

type Point = readonly [place: number, member: RingMember];

function pointsOf(members: readonly RingMember[]): Point[] {
  return members
    .filter(({ weight }) => weight > 0)
    .flatMap((member) =>
      Array.from(
        { length: pointsForWeight(member.weight) },
        (_, i): Point => [murmur3(`${member.id}\n${i}`), member],
      ),
    )
    .sort(([one, { id }], [other, { id: otherId }]) => one - other || (id < otherId ? -1 : 1));
}

/** The ids of the first `count` in order of preference, walking over at most `pointsMax` points. */
function byWalking(
  points: readonly Point[],
  key: string,
  count: number,
  pointsMax = points.length,
): string[] {
  const place = murmur3(key);
  const first = points.findIndex(([at]) => at >= place);
  const start = first < 0 ? 0 : first;
  const seen = new Set<string>();
  const zones = new Set<string | undefined>();
  const inNewZones: string[] = [];
  const others: string[] = [];
  for (let i = 0; i < pointsMax; i++) {
    const [, { id, zone }] = points[(start + i) % points.length] as Point;
    if (seen.has(id)) continue;
    seen.add(id);
    (zone !== undefined && zones.has(zone) ? others : inNewZones).push(id);
    zones.add(zone);
  }
  return [...inNewZones, ...others].slice(0, count);
}

const ids = (members: readonly RingMember[]): string[] => members.map(({ id }) => id);
const keysOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `key-${i}`);

const WEIGHT_OF_ONE_POINT = 0.001;
const light = (count: number, zone?: (i: number) => string): RingMember[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `light-${i}`,
    weight: WEIGHT_OF_ONE_POINT,
    zone: zone?.(i),
  }));
const huge = (id: string, zone?: string): RingMember => ({ id, weight: 256, zone });
const heavy = (id: string, zone?: string): RingMember => ({ id, weight: 16, zone });

/** Where a walk would take long: what it looks for is rare, and what it has seen already is everywhere. */
const ADVERSARIAL: [string, RingMember[]][] = [
  [
    "one light member in a zone of its own",
    [heavy("a", "x"), heavy("b", "x"), { ...light(1)[0], zone: "y" } as RingMember],
  ],
  ["a heavy member and 70 light ones, no zones", [heavy("a"), ...light(70)]],
  ["a heavy member and 70 light ones, one zone", [heavy("a", "x"), ...light(70, () => "x")]],
  ["a heavy member and 70 light ones, 70 zones", [heavy("a", "x"), ...light(70, (i) => `z${i}`)]],
  [
    "a heavy member and 70 light ones in three zones, two of them light",
    [heavy("a", "x"), ...light(70, (i) => "xyz".charAt(i % 3))],
  ],
];

describe("replicas found by the index are those of a walk over all points", () => {
  it.each(ADVERSARIAL)("with %s", (_, members) => {
    const points = pointsOf(members);
    const ring = buildRing(members);
    for (const key of keysOf(8)) {
      for (const count of [2, 3, 64]) {
        expect(ids(ring.replicas(key, count))).toEqual(byWalking(points, key, count));
      }
    }
  });

  const anyMember: fc.Arbitrary<Omit<RingMember, "id">> = fc.record({
    weight: fc.constantFrom(0, WEIGHT_OF_ONE_POINT, WEIGHT_OF_ONE_POINT, 2 / 256, 0.25, 1),
    zone: fc.constantFrom(undefined, undefined, "a", "b", "c", "", "d"),
  });

  it("with any members, weights, zones and counts", () => {
    fc.assert(
      fc.property(
        fc.array(anyMember, { minLength: 1, maxLength: 40 }),
        fc.array(fc.tuple(fc.string(), fc.integer({ min: 1, max: 64 })), { minLength: 1, maxLength: 20 }),
        (each, asked) => {
          const members = each.map((member, i) => ({ id: `m${i}`, ...member }));
          const points = pointsOf(members);
          const ring = buildRing(members);
          for (const [key, count] of asked) {
            expect(ids(ring.replicas(key, count))).toEqual(
              points.length > 0 ? byWalking(points, key, count) : [],
            );
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("canary: a walk that gives up after 1,000 points differs", () => {
    const differing = ADVERSARIAL.filter(([, members]) => {
      const points = pointsOf(members);
      const ring: Ring = buildRing(members);
      return keysOf(8).some(
        (key) => `${ids(ring.replicas(key, 64))}` !== `${byWalking(points, key, 64, 1_000)}`,
      );
    });
    expect(differing).toHaveLength(ADVERSARIAL.length);
  });
});

describe("the cost of a replica", () => {
  /** Counts the entries that are read. */
  function counted(values: Int32Array, looks: { count: number }): Int32Array {
    return new Proxy(values, {
      get: (target, property) => {
        if (typeof property === "string" && /^\d+$/.test(property)) looks.count++;
        return Reflect.get(target, property, target);
      },
    });
  }

  it("is bounded by 32 looks a level of the index, wherever the next one is", () => {
    const total = 100_000;
    // One point each of 40 members, and all others of one.
    const pointMembers = new Uint32Array(total);
    for (let member = 1; member <= 40; member++) pointMembers[(member * 7_919) % total] = member;
    const groups = Uint32Array.from({ length: 41 }, (_, i) => i);
    const index = atOnce(indexFirstMeetings(pointMembers, groups, groups.length));
    const looks = { count: 0 };
    const levels = index.levels.map((level) => counted(level, looks));
    expect(levels.map(({ length }) => length)).toEqual([100_000, 6_250, 391, 25, 2]);
    for (let start = 0; start < total; start += 997) {
      looks.count = 0;
      const walk = new Walk({ levels }, start);
      for (let i = 0; i < 41; i++) walk.next();
      // A search in each turn for each, and one that reaches the end.
      expect(looks.count).toBeLessThanOrEqual(42 * 32 * levels.length);
    }
  });

  it("lets 10,000 keys find a second zone that has one point of 655,361", () => {
    const ten = Array.from({ length: 10 }, (_, i) => huge(`heavy-${i}`, "a"));
    const ring = buildRing([...ten, { id: "lone", weight: WEIGHT_OF_ONE_POINT, zone: "b" }]);
    ring.replicas("key", 2);
    const startedMs = performance.now();
    let found = 0;
    for (const key of keysOf(10_000)) found += ring.replicas(key, 2).length;
    expect(found).toBe(20_000);
    // 10 to 50 ms where nothing else runs; a walk takes half a minute.
    expect(performance.now() - startedMs).toBeLessThan(8_000);
  });
});

describe("preparing a ring", () => {
  const members: RingMember[] = Array.from({ length: 100 }, (_, i) => ({
    id: `m${i}`,
    weight: 1,
    zone: `z${i % 3}`,
  }));

  it("is left until somebody looks up: a ringId takes no points", () => {
    // 65 million points, which would take ten seconds and half a gigabyte.
    const ring = buildRing(Array.from({ length: 1_000 }, (_, i) => huge(`m${i}`)));
    expect(ring.pointCount).toBe(65_536_000);
    expect(ring.ringId).toMatch(/^[0-9a-f]{16}$/);
    expect(ring.isPrepared(1)).toBe(false);
  });

  it("goes in steps of at most 16,384 points", () => {
    const ring = buildRing([huge("a"), huge("b"), huge("c")]);
    const steps = [...ring.prepare(1)].length;
    // Hashed, counted, distributed and sorted, 12 steps each at least.
    expect(steps).toBeGreaterThanOrEqual(4 * 12);
    expect(steps).toBeLessThan(70);
  });

  it("goes as far as is asked for: an owner, zones, zones that come up again", () => {
    const ring = buildRing(members);
    const prepared = () => [1, 2, 3, 4, 100].map((count) => ring.isPrepared(count));
    expect(prepared()).toEqual([false, false, false, false, false]);
    atOnce(ring.prepare(1));
    expect(prepared()).toEqual([true, false, false, false, false]);
    atOnce(ring.prepare(2));
    expect(prepared()).toEqual([true, true, true, false, false]);
    atOnce(ring.prepare(64));
    expect(prepared()).toEqual([true, true, true, true, true]);
    expect([...ring.prepare(64)]).toEqual([]);
  });

  it("half done does not show: a look-up in between is right, and so is one after it", () => {
    const whole = buildRing(members);
    for (let stepsBefore = 0; stepsBefore < 30; stepsBefore += 3) {
      const ring = buildRing(members);
      const steps = ring.prepare(5);
      for (let i = 0; i < stepsBefore; i++) steps.next();
      for (const key of keysOf(5)) expect(ring.replicas(key, 5)).toEqual(whole.replicas(key, 5));
      atOnce(steps);
      for (const key of keysOf(5)) expect(ring.replicas(key, 5)).toEqual(whole.replicas(key, 5));
    }
  });

  it("of a ring without members is nothing", () => {
    const ring = buildRing([]);
    expect(ring.isPrepared(64)).toBe(true);
    expect([...ring.prepare(64)]).toEqual([]);
  });
});
