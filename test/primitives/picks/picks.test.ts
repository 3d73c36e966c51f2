import { beforeEach, describe, expect, test } from "vitest";
import { buildRing } from "../../../src/algorithms/ring.js";
import type { Random } from "../../../src/clock.js";
import { type Member, toRingMember } from "../../../src/primitives/members/member.js";
import { MemberViews } from "../../../src/primitives/members/member-views.js";
import { type PickRequest, type PickStrategy, Picks } from "../../../src/primitives/picks/picks.js";
import { Owners } from "../../../src/primitives/rings/owners.js";
import { expectChances, randomOf } from "../../helpers/chance.js";
import { FakeClock } from "../../helpers/fake-clock.js";

// Picks among members that come from no primary, by a fixed seed.

const VIEW_AGE_MS = 250;

let clock: FakeClock;
let members: Map<string, Member[]>;
let picks: Picks;
let random: Random;

function start(bounds?: { turnsMax: number; membersMax: number }): void {
  const views = new MemberViews(async (service) => members.get(service) ?? [], clock, VIEW_AGE_MS);
  picks = new Picks(views, new Owners(views, clock), clock, random, bounds);
}

beforeEach(() => {
  clock = new FakeClock();
  members = new Map();
  random = randomOf(11);
  start();
});

type Partly = Omit<Partial<Member>, "status"> & { status?: string; load?: object | null };

const member = (id: string, more: Partly = {}): Member =>
  ({
    id,
    weight: 1,
    address: `${id}:1`,
    zone: null,
    tags: [],
    metadata: null,
    status: "up",
    incarnation: 1,
    revision: 1,
    ttlMs: 15_000,
    lastHeartbeatAgeMs: 0,
    endsInMs: null,
    ...more,
  }) as Member;

const several = (count: number, more?: (i: number) => Partly) =>
  Array.from({ length: count }, (_, i) => member(`m${i}`, more?.(i)));

async function pick(strategy: PickStrategy, more: Partial<PickRequest> = {}, service = "s") {
  const request = { strategy, maxLoad: 1.25, exclude: [], count: 1, ...more };
  const { members: picked, alternatives, fallbacks, ageMs } = await picks.pick(service, request);
  const ids = (all: readonly Member[]) => all.map(({ id }) => id);
  return { ids: ids(picked), alternatives: ids(alternatives), fallbacks, ageMs };
}

/** How often each of `m0`, `m1`, … was picked. */
async function countsOf(count: number, rounds: number, one: () => Promise<{ ids: readonly string[] }>) {
  const counts = Array.from({ length: count }, () => 0);
  for (let round = 0; round < rounds; round++)
    for (const id of (await one()).ids) counts[Number(id.slice(1))] = (counts[Number(id.slice(1))] ?? 0) + 1;
  return counts;
}

const ALL: readonly PickStrategy[] = ["round-robin", "weighted", "random", "least-load", "sticky"];
const withKey = (strategy: PickStrategy) => (strategy === "sticky" ? { key: "user:42" } : {});

describe.each(ALL)("%s", (strategy) => {
  const one = (more: Partial<PickRequest> = {}, service?: string) =>
    pick(strategy, { ...withKey(strategy), ...more }, service);

  test("picks different members, and names two more to try next", async () => {
    members.set("s", several(9));
    const { ids, alternatives, fallbacks, ageMs } = await one({ count: 4 });
    expect([ids.length, alternatives.length, fallbacks, ageMs]).toEqual([4, 2, [], 0]);
    expect(new Set([...ids, ...alternatives]).size).toBe(6);
  });

  test("picks all if there are no more, and then there is no alternative", async () => {
    members.set("s", several(3));
    const { ids, alternatives } = await one({ count: 16 });
    expect([ids.toSorted(), alternatives]).toEqual([["m0", "m1", "m2"], []]);
    expect((await one({ count: 2 })).alternatives).toHaveLength(1);
  });

  test("tells how old the view is that it picks from", async () => {
    members.set("s", several(3));
    await one();
    await clock.advance(200);
    expect((await one()).ageMs).toBe(200);
    await clock.advance(51);
    expect((await one()).ageMs).toBe(0);
  });

  test("never picks a member without weight", async () => {
    members.set(
      "s",
      several(4, (i) => ({ weight: i === 2 ? 1 : 0 })),
    );
    expect(await one({ count: 4 })).toMatchObject({ ids: ["m2"], alternatives: [] });
    members.set(
      "t",
      several(2, () => ({ weight: 0 })),
    );
    await expect(one({}, "t")).rejects.toMatchObject({ code: "no_members" });
  });

  test("never picks those that are suspect or draining while others live", async () => {
    const status = (i: number) => ({ status: ["suspect", "up", "draining"][i % 3] as string });
    members.set("s", several(9, status));
    for (let round = 0; round < 200; round++) {
      const { ids, alternatives, fallbacks } = await one({ count: 2 });
      expect([...ids, ...alternatives].toSorted()).toEqual(["m1", "m4", "m7"]);
      expect(fallbacks).toEqual([]);
    }
    expect((await one({ count: 9 })).ids.toSorted()).toEqual(["m1", "m4", "m7"]);
  });

  test("picks the suspect ones if nobody else lives, then the draining ones, and says so", async () => {
    members.set(
      "s",
      several(6, (i) => ({ status: i < 3 ? "suspect" : "draining" })),
    );
    const suspect = await one({ count: 9 });
    expect([suspect.ids.toSorted(), suspect.fallbacks]).toEqual([["m0", "m1", "m2"], ["suspect"]]);
    members.set(
      "t",
      several(3, () => ({ status: "draining" })),
    );
    const draining = await one({ count: 9 }, "t");
    expect([draining.ids.toSorted(), draining.fallbacks]).toEqual([["m0", "m1", "m2"], ["draining"]]);
  });

  test("picks suspect ones if all others are excluded, and then draining ones", async () => {
    const status = (i: number) => ({ status: ["up", "suspect", "draining"][i] as string });
    members.set("s", several(3, status));
    expect(await one({ exclude: ["m0"] })).toMatchObject({ ids: ["m1"], fallbacks: ["suspect"] });
    expect(await one({ exclude: ["m0", "m1"] })).toMatchObject({ ids: ["m2"], fallbacks: ["draining"] });
  });

  test("prefers the zone, and says when it had to leave it", async () => {
    members.set(
      "s",
      several(6, (i) => ({ zone: i < 2 ? "a" : i < 4 ? "b" : null })),
    );
    for (let round = 0; round < 50; round++) {
      const { ids, alternatives, fallbacks } = await one({ zone: "a" });
      expect(["m0", "m1"]).toContain(ids[0]);
      expect(["m0", "m1"]).toContain(alternatives[0]);
      expect(["m2", "m3", "m4", "m5"]).toContain(alternatives[1]);
      expect(fallbacks).toEqual([]);
    }
    const more = await one({ zone: "a", count: 3 });
    expect([more.ids.slice(0, 2).toSorted(), more.fallbacks]).toEqual([["m0", "m1"], ["zone"]]);
    expect(await one({ zone: "a", exclude: ["m0", "m1"] })).toMatchObject({ fallbacks: ["zone"] });
    expect(await one({ zone: "none" })).toMatchObject({ fallbacks: ["zone"] });
  });

  test("prefers a member that is up in another zone to one that is not in this one", async () => {
    const first = { zone: "a", status: "suspect" };
    members.set("s", [member("m0", first), member("m1", { zone: "b" })]);
    expect(await one({ zone: "a" })).toMatchObject({ ids: ["m1"], fallbacks: ["zone"] });
    expect(await one({ zone: "a", exclude: ["m1"] })).toMatchObject({ ids: ["m0"], fallbacks: ["suspect"] });
    expect(await one({ zone: "c", exclude: ["m1"] })).toMatchObject({ fallbacks: ["zone", "suspect"] });
  });

  test("picks only members with all the tags", async () => {
    const tags = [["x"], ["y"], ["y", "x"], [], ["x", "z", "y"]];
    members.set(
      "s",
      several(5, (i) => ({ tags: tags[i] as string[] })),
    );
    const { ids, fallbacks } = await one({ tags: ["y", "x", "y"], count: 5 });
    expect([ids.toSorted(), fallbacks]).toEqual([["m2", "m4"], []]);
    expect((await one({ tags: [], count: 5 })).ids).toHaveLength(5);
    await expect(one({ tags: ["none"] })).rejects.toMatchObject({
      code: "no_members",
      message: expect.stringContaining("5 live members"),
    });
  });

  test("picks nobody if everybody is excluded", async () => {
    members.set("s", several(3));
    const exclude = ["m0", "m1", "m2", "gone"];
    await expect(one({ exclude })).rejects.toMatchObject({ code: "no_members" });
    expect((await one({ exclude: exclude.slice(1) })).ids).toEqual(["m0"]);
  });

  test("picks nobody of a service without members", async () => {
    await expect(one()).rejects.toMatchObject({ code: "no_members" });
    expect(picks.kept).toEqual({ turns: 0, members: 0 });
  });

  test("is answered at once from a view that is there", async () => {
    members.set("s", several(3));
    await one();
    const request = { strategy, maxLoad: 1.25, exclude: [], count: 1, ...withKey(strategy) };
    expect(picks.pick("s", request)).not.toBeInstanceOf(Promise);
  });
});

describe("round-robin", () => {
  test("gives each as many turns, in the order of the ids, from anywhere on", async () => {
    members.set("s", several(5));
    const first = (await pick("round-robin")).ids[0] as string;
    const turns = [];
    for (let i = 0; i < 10; i++) turns.push((await pick("round-robin")).ids[0]);
    const at = Number(first.slice(1));
    expect(turns).toEqual(Array.from({ length: 10 }, (_, i) => `m${(at + 1 + i) % 5}`));
  });

  test("begins with any member, so that instances which start together do not all begin with one", async () => {
    members.set("s", several(5));
    const counts = await countsOf(5, 5_000, async () => {
      start();
      return pick("round-robin");
    });
    expectChances(counts, [1, 1, 1, 1, 1]);
  }, 30_000);

  test("goes on behind several that were picked at once, alternatives not counted", async () => {
    members.set("s", several(5));
    const counts = await countsOf(5, 50, () => pick("round-robin", { count: 2 }));
    expect(counts).toEqual([20, 20, 20, 20, 20]);
  });

  test("has turns of its own for each service, zone and set of tags", async () => {
    const of = (i: number) => ({ zone: i % 2 === 0 ? "a" : "b", tags: i < 4 ? ["x", "y"] : [] });
    members.set("s", several(8, of));
    members.set("t", several(4));
    // If they shared one, each would skip the turns of the others.
    const kinds = [
      () => pick("round-robin"),
      () => pick("round-robin", { zone: "a" }),
      () => pick("round-robin", { zone: "b" }),
      () => pick("round-robin", { tags: ["x", "y"] }),
      () => pick("round-robin", {}, "t"),
    ];
    const got = kinds.map(() => [] as string[]);
    for (let round = 0; round < 40; round++)
      for (const [at, kind] of kinds.entries()) got[at]?.push((await kind()).ids[0] as string);
    const timesOf = (ids: readonly string[]) =>
      [...new Set(ids)].map((id) => ids.filter((other) => other === id).length);
    expect(got.map(timesOf)).toEqual([8, 4, 4, 4, 4].map((count) => Array(count).fill(40 / count)));
    await pick("round-robin", { tags: ["y", "x", "y"] });
    expect(picks.kept.turns).toBe(5);
  });
});

test("random picks each as often", async () => {
  members.set(
    "s",
    several(7, (i) => ({ weight: i + 1 })),
  );
  const counts = await countsOf(7, 14_000, () => pick("random"));
  expectChances(counts, [1, 1, 1, 1, 1, 1, 1]);
});

test("weighted picks each in proportion to its weight", async () => {
  const weights = [0.5, 1, 1, 2, 5];
  members.set(
    "s",
    several(5, (i) => ({ weight: weights[i] as number })),
  );
  const counts = await countsOf(5, 20_000, () => pick("weighted"));
  expectChances(counts, weights);
});

describe("least-load", () => {
  test("picks the less busy of two that are chosen at random, by what they report", async () => {
    members.set(
      "s",
      several(4, (i) => ({ load: { inFlight: i * 1_000_000 } })),
    );
    const counts = await countsOf(4, 6_000, () => pick("least-load"));
    expect(counts[3]).toBe(0);
    expectChances(counts.slice(0, 3), [3, 2, 1]);
  });

  test("counts what it just gave, so that the least busy does not get everything until it reports again", async () => {
    members.set(
      "s",
      several(2, (i) => ({ load: { inFlight: i * 50 } })),
    );
    const counts = await countsOf(2, 250, () => pick("least-load"));
    // The first 50 or so go to the idle one, and then each gets one of two.
    expect(counts[0]).toBeGreaterThanOrEqual(149);
    expect(counts[0]).toBeLessThanOrEqual(151);
  });

  test("forgets what it gave as time passes", async () => {
    members.set("s", several(2));
    await countsOf(2, 1_000, () => pick("least-load", { exclude: ["m1"] }));
    expect((await countsOf(2, 100, () => pick("least-load")))[0]).toBe(0);
    members.set(
      "s",
      several(2, (i) => ({ load: { inFlight: i * 10 } })),
    );
    await clock.advance(19_000);
    expect((await countsOf(2, 5, () => pick("least-load")))[0]).toBe(5);
    await clock.advance(21_000);
    expect(picks.kept.members).toBe(0);
  });

  test("gives a member of twice the weight twice as much", async () => {
    members.set(
      "s",
      several(3, (i) => ({ weight: i === 0 ? 2 : 1 })),
    );
    const counts = await countsOf(3, 4_000, () => pick("least-load"));
    expect(counts[0]).toBeGreaterThan(1_950);
    expect(counts[0]).toBeLessThan(2_050);
  });

  test("takes the picks of all strategies into account", async () => {
    members.set("s", several(2));
    for (let i = 0; i < 20; i++) await pick("sticky", { key: "k" });
    const [owner] = (await pick("sticky", { key: "k" })).ids;
    for (let i = 0; i < 10; i++) expect((await pick("least-load")).ids).not.toEqual([owner]);
  });
});

describe("sticky", () => {
  const ring = (all: readonly Member[]) => buildRing(all.flatMap((each) => toRingMember(each) ?? []));

  test("picks the owner of the key, and names its next replicas", async () => {
    members.set(
      "s",
      several(20, (i) => ({ zone: `z${i % 3}` })),
    );
    const known = ring(members.get("s") ?? []);
    for (let i = 0; i < 200; i++) {
      const { ids, alternatives } = await pick("sticky", { key: `user:${i}` });
      expect([...ids, ...alternatives]).toEqual(known.replicas(`user:${i}`, 3).map(({ id }) => id));
    }
  });

  test("spills over to the next on the ring when the owner reports more than maxLoad times the mean", async () => {
    const key = "user:42";
    const all = several(10);
    const order = ring(all)
      .replicas(key, 10)
      .map(({ id }) => id);
    const busy = (inFlight: number, ids: readonly string[]) =>
      members.set(
        "s",
        several(10, (i) => ({ load: { inFlight: ids.includes(`m${i}`) ? inFlight : 9 } })),
      );
    const picked = async (maxLoad: number) => {
      await clock.advance(VIEW_AGE_MS + 1);
      return (await pick("sticky", { key, maxLoad, count: 3 })).ids;
    };
    // One more than its requests is what counts: 10 for each of the others.
    busy(11, [order[0] as string]);
    expect(await picked(1.25)).toEqual(order.slice(0, 3));
    busy(14, [order[0] as string]);
    // 15 of a mean of 10.5: 1.43 times.
    expect(await picked(1.25)).toEqual(order.slice(1, 4));
    expect(await picked(1.42)).toEqual(order.slice(1, 4));
    expect(await picked(1.43)).toEqual(order.slice(0, 3));
    busy(100, order.slice(0, 2));
    expect(await picked(2)).toEqual(order.slice(2, 5));
    // Also of those that are too busy the owner comes first, if nobody else can be picked.
    const others = order.slice(2);
    expect((await pick("sticky", { key, exclude: others })).ids).toEqual(order.slice(0, 1));
  });

  test("does not leave an owner because of others that report nothing, nor one that reports nothing", async () => {
    const key = "user:42";
    const [owner] = ring(several(4)).replicas(key, 1);
    members.set(
      "s",
      several(4, (i) => ({ load: `m${i}` === owner?.id ? { cpu: 0.99 } : null })),
    );
    expect((await pick("sticky", { key })).ids).toEqual([owner?.id]);
    members.set(
      "t",
      several(4, (i) => ({ load: `m${i}` === owner?.id ? null : { cpu: 0.99 } })),
    );
    expect((await pick("sticky", { key }, "t")).ids).toEqual([owner?.id]);
  });

  test("spreads keys as the ring does", async () => {
    members.set(
      "s",
      several(8, (i) => ({ weight: 1 + (i % 2) })),
    );
    const owners = ring(members.get("s") ?? []);
    for (let i = 0; i < 500; i++)
      expect((await pick("sticky", { key: `k${i}` })).ids[0]).toBe(owners.owner(`k${i}`)?.id);
  });

  test("finds the only one of many that has the tags, wherever it is on the ring", async () => {
    members.set(
      "s",
      several(1_000, (i) => ({ tags: i === 777 ? ["rare"] : [] })),
    );
    expect(await pick("sticky", { key: "k", tags: ["rare"] })).toMatchObject({
      ids: ["m777"],
      alternatives: [],
    });
  });

  test("keeps to one order where all are draining", async () => {
    members.set(
      "s",
      several(5, () => ({ status: "draining" })),
    );
    const one = await pick("sticky", { key: "k", count: 5 });
    expect(await pick("sticky", { key: "k", count: 5 })).toEqual(one);
  });

  test("of members with too many points for a ring is told so, and other strategies are not", async () => {
    members.set(
      "s",
      several(65, () => ({ weight: 256 })),
    );
    await expect(pick("sticky", { key: "k" })).rejects.toMatchObject({ code: "too_many" });
    expect((await pick("weighted")).ids).toHaveLength(1);
  });
});

describe("what an instance keeps", () => {
  test("is bounded, whatever is asked for", async () => {
    start({ turnsMax: 10, membersMax: 20 });
    for (let i = 0; i < 50; i++) {
      members.set(
        `s${i}`,
        several(3, () => ({ tags: [`t${i}`] })),
      );
      await pick("round-robin", { tags: [`t${i}`], zone: `z${i}` }, `s${i}`);
    }
    expect(picks.kept).toEqual({ turns: 10, members: 20 });
  });

  test("goes when it was not used for a minute", async () => {
    members.set("s", several(3));
    await pick("round-robin");
    expect(picks.kept).toEqual({ turns: 1, members: 1 });
    await clock.advance(61_000);
    expect(picks.kept).toEqual({ turns: 0, members: 0 });
  });
});
