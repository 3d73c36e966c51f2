import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { murmur3 } from "../../src/algorithms/murmur3.js";
import { buildRing, type RingMember } from "../../src/algorithms/ring.js";
import { pointsForWeight } from "../../src/algorithms/ring-points.js";

interface Vectors {
  hashes: { text: string; hash: number }[];
  points: { weight: number; points: number }[];
  rings: {
    name: string;
    members: RingMember[];
    ringId: string;
    replicaCount: number;
    keys: { key: string; owner: string | null; replicas: string[] }[];
  }[];
}

const VECTORS_FILE = new URL("./ring-v1-vectors.json", import.meta.url);
const PAGE_FILE = new URL("../../docs/ring-v1.md", import.meta.url);
const vectors = JSON.parse(readFileSync(VECTORS_FILE, "utf8")) as Vectors;
const pythonIsHere = spawnSync("python3", ["--version"]).status === 0;

const ids = (members: readonly RingMember[]): string[] => members.map((member) => member.id);
const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));
const equalMembers = (count: number, name = (i: number) => `node-${i}`): RingMember[] =>
  Array.from({ length: count }, (_, i) => ({ id: name(i), weight: 1 }));
const manyKeys = (count: number): string[] => Array.from({ length: count }, (_, i) => `key-${i}`);

/** The members in the order in which a walk from the key's place meets them, by looking at every point. */
function slowWalk(members: readonly RingMember[], key: string): RingMember[] {
  const points = members
    .filter((member) => member.weight > 0)
    .flatMap((member) => {
      const count = Math.min(65_536, Math.max(1, Math.round(256 * member.weight)));
      return Array.from({ length: count }, (_, i) => ({ place: murmur3(`${member.id}\n${i}`), member }));
    })
    .sort((one, other) => one.place - other.place || byBytes(one.member.id, other.member.id));
  const place = murmur3(key);
  const ahead = points.filter((point) => point.place >= place);
  const behind = points.filter((point) => point.place < place);
  return [...new Set([...ahead, ...behind].map((point) => point.member))];
}

/** The order of preference as the page words it: who is the first of its zone in the walk, then the others. */
function slowPreference(members: readonly RingMember[], key: string): RingMember[] {
  const walk = slowWalk(members, key);
  const isFirstOfZone = (member: RingMember, at: number): boolean =>
    member.zone === undefined || walk.findIndex((other) => other.zone === member.zone) === at;
  return [
    ...walk.filter((member, at) => isFirstOfZone(member, at)),
    ...walk.filter((member, at) => !isFirstOfZone(member, at)),
  ];
}

/** Two ids, one of each prefix, whose first points have the same place. */
function idsWithCollidingFirstPoint(onePrefix: string, otherPrefix: string): [string, string] {
  const seen = new Map<number, string>();
  for (let i = 0; i < 200_000; i++) seen.set(murmur3(`${onePrefix}${i}\n0`), `${onePrefix}${i}`);
  for (let i = 0; i < 200_000; i++) {
    const one = seen.get(murmur3(`${otherPrefix}${i}\n0`));
    if (one !== undefined) return [one, `${otherPrefix}${i}`];
  }
  throw new Error("no collision found");
}

const anyId = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,12}$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^[a-zA-Zäé～😀\u{10000}\uffff]{1,6}$/u) },
);
const anyMember: fc.Arbitrary<RingMember> = fc.record({
  id: anyId,
  weight: fc.oneof(
    fc.constantFrom(0, -1, 1, 1, 2, 1 / 256, 1.5 / 256, 1e-9),
    fc.double({ min: 0, max: 3, noNaN: true }),
  ),
  zone: fc.constantFrom(undefined, "", "a", "b", "ü"),
});
const anyMembers = fc.uniqueArray(anyMember, { selector: (member) => member.id, maxLength: 8 });
const anyKeys = fc.array(fc.string({ unit: "binary", maxLength: 50 }), { minLength: 1, maxLength: 10 });

describe("the owner", () => {
  it("is what a search through all points finds", () => {
    fc.assert(
      fc.property(anyMembers, anyKeys, (members, keys) => {
        const ring = buildRing(members);
        for (const key of keys) expect(ring.owner(key)).toBe(slowWalk(members, key)[0]);
      }),
    );
  });

  it("of a key that lies exactly at a point is the point's member", () => {
    const ring = buildRing(equalMembers(20));
    for (const member of ring.members) {
      for (let i = 0; i < 256; i++) expect(ring.owner(`${member.id}\n${i}`)).toBe(member);
    }
  });

  it("of a key behind the last point is the member at the first", () => {
    const lone = (id: string): RingMember => ({ id, weight: 1e-9 });
    const members = ["a", "b", "c"].map(lone);
    const first = [...members].sort((one, other) => murmur3(`${one.id}\n0`) - murmur3(`${other.id}\n0`))[0];
    const last = Math.max(...members.map((member) => murmur3(`${member.id}\n0`)));
    const behind = manyKeys(200).filter((key) => murmur3(key) > last);
    expect(behind.length).toBeGreaterThan(0);
    for (const key of behind) expect(buildRing(members).owner(key)).toBe(first);
  });

  it("is undefined only when there are no eligible members", () => {
    expect(buildRing([]).owner("a")).toBeUndefined();
    expect(buildRing([{ id: "drained", weight: 0 }]).owner("a")).toBeUndefined();
    expect(buildRing([{ id: "tiny", weight: Number.MIN_VALUE }]).owner("a")?.id).toBe("tiny");
  });

  it("does not depend on the order in which members are given", () => {
    const shuffled = anyMembers.chain((members) =>
      fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length })),
    );
    fc.assert(
      fc.property(shuffled, anyKeys, ([members, others], keys) => {
        const [ring, other] = [buildRing(members), buildRing(others)];
        expect(other.ringId).toBe(ring.ringId);
        expect(other.members).toEqual(ring.members);
        for (const key of keys) expect(other.replicas(key, 8)).toEqual(ring.replicas(key, 8));
      }),
    );
  });
});

describe("a change of members", () => {
  const membersAndOne = fc.uniqueArray(anyMember, { selector: ({ id }) => id, minLength: 2, maxLength: 8 });

  it("that removes one moves only the keys that it owned", () => {
    fc.assert(
      fc.property(membersAndOne, ([gone, ...rest]) => {
        const [before, after] = [buildRing([...rest, gone as RingMember]), buildRing(rest)];
        for (const key of manyKeys(200)) {
          if (before.owner(key) !== gone) expect(after.owner(key)).toBe(before.owner(key));
        }
      }),
    );
  });

  it("that adds one moves keys only to it", () => {
    fc.assert(
      fc.property(membersAndOne, ([added, ...rest]) => {
        const [before, after] = [buildRing(rest), buildRing([...rest, added as RingMember])];
        for (const key of manyKeys(200)) {
          if (after.owner(key) !== before.owner(key)) expect(after.owner(key)).toBe(added);
        }
      }),
    );
  });

  it("that raises a weight moves keys only to that member", () => {
    fc.assert(
      fc.property(membersAndOne, fc.double({ min: 0, max: 3, noNaN: true }), ([one, ...rest], more) => {
        const light = one as RingMember;
        const heavy = { ...light, weight: Math.max(light.weight, 0) + more };
        const [before, after] = [buildRing([...rest, light]), buildRing([...rest, heavy])];
        for (const key of manyKeys(200)) {
          if (after.owner(key) !== heavy) expect(after.owner(key)).toBe(before.owner(key));
        }
      }),
    );
  });

  it("of a zone leaves every owner", () => {
    const members = equalMembers(10);
    const zoned = members.map((member, i) => ({ ...member, zone: `zone-${i % 2}` }));
    const [before, after] = [buildRing(members), buildRing(zoned)];
    for (const key of manyKeys(1000)) expect(after.owner(key)?.id).toBe(before.owner(key)?.id);
  });

  it("that takes one of a hundred away moves about a hundredth of the keys", () => {
    const members = equalMembers(100);
    const [before, after] = [buildRing(members), buildRing(members.slice(1))];
    const moved = manyKeys(20_000).filter((key) => before.owner(key) !== after.owner(key)).length;
    expect(moved / 20_000).toBeGreaterThan(0.006);
    expect(moved / 20_000).toBeLessThan(0.014);
  });
});

describe("the shares", () => {
  const namings: [string, (i: number) => string][] = [
    ["node-7", (i) => `node-${i}`],
    ["10.0.0.7:8080", (i) => `10.0.0.${i}:8080`],
    ["a digest", (i) => createHash("sha256").update(`${i}`).digest("hex").slice(0, 36)],
  ];

  it.each(namings)("of 100 members with ids like %s peak below 1.35 times the mean", (_, name) => {
    const ring = buildRing(equalMembers(100, name));
    const owned = new Map<string | undefined, number>();
    for (const key of manyKeys(200_000)) {
      const id = ring.owner(key)?.id;
      owned.set(id, (owned.get(id) ?? 0) + 1);
    }
    expect(owned.size).toBe(100);
    expect(Math.max(...owned.values()) / 2_000).toBeLessThan(1.35);
    expect(Math.min(...owned.values()) / 2_000).toBeGreaterThan(0.65);
  });

  it("follow the weights, and a huge weight starves nobody of its points", () => {
    const ring = buildRing([{ id: "huge", weight: 5000 }, { id: "double", weight: 2 }, ...equalMembers(50)]);
    expect(ring.members).toHaveLength(52);
    const twice = buildRing([{ id: "double", weight: 2 }, ...equalMembers(8)]);
    const share = manyKeys(50_000).filter((key) => twice.owner(key)?.id === "double").length / 50_000;
    expect(share).toBeGreaterThan(0.17);
    expect(share).toBeLessThan(0.23);
  });
});

describe("the number of points", () => {
  it.each(vectors.points)("of weight $weight is $points", ({ weight, points }) => {
    expect(pointsForWeight(weight)).toBe(points);
  });

  it("is capped: the weights 256 and 1e308 make the same ring", () => {
    const withWeight = (weight: number) => buildRing([{ id: "a", weight }, ...equalMembers(2)]).ringId;
    expect(withWeight(1e308)).toBe(withWeight(256));
    expect(withWeight(255)).not.toBe(withWeight(256));
  });
});

describe("points that collide", () => {
  it.each([
    ["node-", "instance-", "differ early"],
    ["a", "B", "a locale would order the other way"],
    ["😀", "～", "UTF-16 would order the other way"],
  ])("belong to the smaller id by bytes: %s, %s (%s)", (onePrefix, otherPrefix) => {
    const pair = idsWithCollidingFirstPoint(onePrefix, otherPrefix);
    const [smaller, larger] = [...pair].sort(byBytes);
    for (const given of [pair, [...pair].reverse()]) {
      const ring = buildRing(given.map((id) => ({ id, weight: 1e-9 })));
      expect(ids(ring.members)).toEqual([smaller, larger]);
      for (const key of manyKeys(20)) expect(ids(ring.replicas(key, 2))).toEqual([smaller, larger]);
    }
  });

  it("keep that order when a third member's point was sorted past them", () => {
    const colliding = idsWithCollidingFirstPoint("a", "c");
    for (let i = 0; i < 100; i++) {
      const members = [...colliding, `b${i}`].map((id) => ({ id, weight: 1e-9 }));
      expect(buildRing(members).replicas("key", 3)).toEqual(slowWalk(members, "key"));
    }
  });

  it("leave the place to the other member when one goes", () => {
    const pair = idsWithCollidingFirstPoint("node-", "instance-");
    const others = ["x", "y"].map((id) => ({ id, weight: 1e-9 }));
    const ring = (...names: string[]) => buildRing([...others, ...names.map((id) => ({ id, weight: 1e-9 }))]);
    const [smaller, larger] = [...pair].sort(byBytes) as [string, string];
    for (const key of manyKeys(100)) {
      const owner = ring(smaller, larger).owner(key)?.id;
      expect(ring(larger).owner(key)?.id).toBe(owner === smaller ? larger : owner);
    }
  });
});

describe("the replicas", () => {
  it("are what the page's definition gives", () => {
    fc.assert(
      fc.property(anyMembers, anyKeys, fc.nat(10), (members, keys, count) => {
        const ring = buildRing(members);
        for (const key of keys) {
          expect(ring.replicas(key, count)).toEqual(slowPreference(members, key).slice(0, count));
        }
      }),
    );
  });

  it("start with the owner, are distinct, and are all members when that many are asked for", () => {
    fc.assert(
      fc.property(anyMembers, anyKeys, (members, keys) => {
        const ring = buildRing(members);
        for (const key of keys) {
          const replicas = ring.replicas(key, 100);
          expect(replicas[0]).toBe(ring.owner(key));
          expect(ids(replicas).sort(byBytes)).toEqual(ids(ring.members));
        }
      }),
    );
  });

  it("for a smaller count are a prefix of those for a larger", () => {
    fc.assert(
      fc.property(anyMembers, fc.string(), fc.nat(9), (members, key, count) => {
        const ring = buildRing(members);
        expect(ring.replicas(key, count)).toEqual(ring.replicas(key, count + 1).slice(0, count));
      }),
    );
  });

  it("lie in different zones as long as there are zones left", () => {
    const ring = buildRing(equalMembers(30).map((member, i) => ({ ...member, zone: `zone-${i % 3}` })));
    for (const key of manyKeys(500)) {
      expect(new Set(ring.replicas(key, 3).map((member) => member.zone)).size).toBe(3);
      expect(ring.replicas(key, 5)).toHaveLength(5);
    }
  });

  it("of members without zones are simply the next ones clockwise", () => {
    const members = equalMembers(10);
    const ring = buildRing(members);
    for (const key of manyKeys(100))
      expect(ring.replicas(key, 4)).toEqual(slowWalk(members, key).slice(0, 4));
  });

  it("reach a zone whose only member has a single point", () => {
    const members = equalMembers(20).map((member) => ({ ...member, zone: "common" }));
    const ring = buildRing([...members, { id: "rare", weight: 1e-9, zone: "rare" }]);
    for (const key of manyKeys(100)) expect(ids(ring.replicas(key, 2))).toContain("rare");
  });

  it("are none for a count of 0, and a count that is no number of members throws", () => {
    const ring = buildRing(equalMembers(2));
    expect(ring.replicas("a", 0)).toEqual([]);
    expect(buildRing([]).replicas("a", 3)).toEqual([]);
    for (const count of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => ring.replicas("a", count)).toThrow(RangeError);
    }
  });
});

describe("the members", () => {
  it("are the eligible objects that were given, by the bytes of their ids, and cannot be changed", () => {
    const given = ["b", "😀", "B", "～", "a-b", "a"].map((id) => ({
      id,
      weight: 1,
      address: `${id}.example`,
    }));
    const ring = buildRing([...given, { id: "drained", weight: 0, address: "" }]);
    expect(ids(ring.members)).toEqual(["B", "a", "a-b", "b", "～", "😀"]);
    expect(given).toContain(ring.owner("key"));
    expect(ring.owner("key")?.address).toBe(`${ring.owner("key")?.id}.example`);
    expect(Object.isFrozen(ring.members)).toBe(true);
  });

  it.each<[string, RingMember[]]>([
    ["two of one id", [...equalMembers(2), ...equalMembers(1)]],
    [
      "two of one id, one of them not eligible",
      [
        { id: "a", weight: 1 },
        { id: "a", weight: 0 },
      ],
    ],
    ["an empty id", [{ id: "", weight: 1 }]],
    ["a line feed in an id", [{ id: "a\n1", weight: 1 }]],
    ["a tab in an id", [{ id: "a\t1", weight: 1 }]],
    ["a lone surrogate in an id", [{ id: "a\ud800", weight: 1 }]],
    ["a weight that is not a number", [{ id: "a", weight: Number.NaN }]],
    ["an infinite weight", [{ id: "a", weight: Number.POSITIVE_INFINITY }]],
  ])("throw for %s", (_, members) => {
    expect(() => buildRing(members)).toThrow(TypeError);
  });
});

describe("the ringId", () => {
  const ringId = (...members: RingMember[]): string => buildRing(members).ringId;
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

  it("is the digest of the lines that the page describes", () => {
    const members = [
      { id: "b", weight: 0.5, zone: "eu" },
      { id: "a", weight: 1 },
      { id: "c", weight: 0 },
    ];
    expect(ringId(...members)).toBe(sha256("ring-v1\na\t256\t-\nb\t128\t=6575\n"));
    expect(ringId()).toBe(sha256("ring-v1\n"));
  });

  it("changes with an id, a number of points, a zone, and with a zone that becomes empty", () => {
    const rings = [
      ringId({ id: "a", weight: 1 }),
      ringId({ id: "b", weight: 1 }),
      ringId({ id: "a", weight: 2 }),
      ringId({ id: "a", weight: 1, zone: "" }),
      ringId({ id: "a", weight: 1, zone: "-" }),
      ringId({ id: "a", weight: 1, zone: "=" }),
      ringId({ id: "a", weight: 1 }, { id: "b", weight: 1 }),
      ringId({ id: "a", weight: 1, zone: "\nb\t256\t-" }),
    ];
    expect(new Set(rings).size).toBe(rings.length);
  });

  it("stays when a weight changes by less than a point or a member that is not eligible comes", () => {
    const before = ringId({ id: "a", weight: 1 });
    expect(ringId({ id: "a", weight: 1.001 })).toBe(before);
    expect(ringId({ id: "a", weight: 1, zone: undefined })).toBe(before);
    expect(ringId({ id: "a", weight: 1 }, { id: "b", weight: 0 })).toBe(before);
  });
});

describe("the published vectors", () => {
  it.each(vectors.hashes)("hold for the hash of $text", ({ text, hash }) => {
    expect(murmur3(text)).toBe(hash);
  });

  it.each(vectors.rings.map((ring) => [ring.name, ring] as const))("hold for %s", (_, vector) => {
    const { members, ringId, replicaCount, keys } = vector;
    const ring = buildRing(members);
    expect(ring.ringId).toBe(ringId);
    for (const { key, owner, replicas } of keys) {
      expect(ring.owner(key)?.id ?? null).toBe(owner);
      expect(ids(ring.replicas(key, replicaCount))).toEqual(replicas);
    }
  });

  it.skipIf(!pythonIsHere)("hold for the reference in Python on the page", () => {
    const program =
      /```python\n(.*?)```/s.exec(readFileSync(PAGE_FILE, "utf8"))?.[1] ?? "raise SystemExit(1)";
    const run = spawnSync("python3", ["-c", program, fileURLToPath(VECTORS_FILE)], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
  });

  it("name the ringIds that the page gives as examples", () => {
    const page = readFileSync(PAGE_FILE, "utf8");
    for (const name of ["the example of the page", "no members: no owner"]) {
      expect(page).toContain(vectors.rings.find((ring) => ring.name === name)?.ringId ?? "missing");
    }
  });
});
