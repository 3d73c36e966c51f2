import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeEach, describe, expect, test } from "vitest";
import { MemberViews } from "../../../src/primitives/members/member-views.js";
import type { Member } from "../../../src/primitives/members/membership.js";
import { Owners } from "../../../src/primitives/rings/owners.js";
import { FakeClock, settled } from "../../helpers/fake-clock.js";

// What an instance keeps of the services that it was asked about, with members that come from no primary.

const VIEW_AGE_MS = 250;
const RING_UNUSED_MS = 60_000;

let clock: FakeClock;
let members: Map<string, Member[]>;
let reads: number;
let views: MemberViews;
let owners: Owners;

function start(bounds?: { servicesMax: number; pointsMax: number }): void {
  views = new MemberViews(list, clock, VIEW_AGE_MS, bounds?.servicesMax);
  owners = new Owners(views, clock, bounds);
}

/** What both keep: views of members, and rings. */
const kept = () => ({ ...views.kept, ...owners.kept });

beforeEach(() => {
  clock = new FakeClock();
  members = new Map();
  reads = 0;
  start();
});

const list = async (service: string) => {
  reads++;
  return members.get(service) ?? [];
};

const member = (id: string, weight = 1): Member => ({
  id,
  weight,
  address: "x:1",
  zone: null,
  tags: [],
  metadata: null,
  status: "up",
  incarnation: 1,
  revision: 1,
  ttlMs: 15_000,
  lastHeartbeatAgeMs: 0,
  endsInMs: null,
});

const several = (count: number, weight = 1) =>
  Array.from({ length: count }, (_, i) => member(`m${i}`, weight));

describe("what is kept", () => {
  test("is bounded by number", async () => {
    start({ servicesMax: 10, pointsMax: 1_000_000 });
    for (let i = 0; i < 30; i++) {
      members.set(`s${i}`, several(2));
      await owners.owning(`s${i}`);
    }
    expect(kept()).toEqual({ views: 10, members: 20, rings: 10, points: 10 * 512 });
  });

  test("is bounded by the points of all rings together", async () => {
    start({ servicesMax: 1_000, pointsMax: 10_000 });
    for (let i = 0; i < 30; i++) {
      members.set(`s${i}`, several(4, 2));
      await owners.owning(`s${i}`);
    }
    expect(owners.kept.rings).toBe(4);
    expect(owners.kept.points).toBe(4 * 2_048);
  });

  test("is not a ring that is too large to be built: others keep their place", async () => {
    members.set("small", several(3));
    await owners.owning("small");
    members.set("large", several(65, 256));
    await expect(owners.owning("large")).rejects.toMatchObject({ code: "too_many" });
    expect(kept()).toMatchObject({ rings: 1, points: 768 });
  });

  test("is bounded by age: members for as long as they may answer, rings for a minute, by one timer each", async () => {
    for (let i = 0; i < 50; i++) {
      members.set(`s${i}`, several(3));
      await owners.owning(`s${i}`);
      expect(clock.pending).toBeLessThanOrEqual(2);
    }
    expect(kept()).toMatchObject({ views: 50, members: 150, rings: 50 });
    await clock.advance(2 * VIEW_AGE_MS);
    expect(kept()).toMatchObject({ views: 0, members: 0, rings: 50 });
    await clock.advance(RING_UNUSED_MS + 100);
    expect(kept()).toEqual({ views: 0, members: 0, rings: 0, points: 0 });
    expect(clock.pending).toBe(0);
  });

  test("goes when the members have gone, and for a service that never had any is nothing", async () => {
    members.set("s", several(3));
    await owners.owning("s");
    members.set("s", []);
    await clock.advance(VIEW_AGE_MS + 1);
    await expect(owners.owning("s")).rejects.toMatchObject({ code: "no_members" });
    await expect(owners.owning("never")).rejects.toMatchObject({ code: "no_members" });
    expect(kept()).toEqual({ views: 0, members: 0, rings: 0, points: 0 });
  });

  test("is given back to the machine", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    members.set("s", several(16, 16));
    const ring = await (async () => new WeakRef((await owners.owning("s", 3)).ring))();
    expect(ring.deref()?.pointCount).toBe(65_536);
    await clock.advance(RING_UNUSED_MS + VIEW_AGE_MS + 100);
    await settled();
    collect();
    expect(ring.deref()).toBeUndefined();
  });
});

describe("a ring that is kept", () => {
  test("answers for the members that are read next, as long as they are the same", async () => {
    members.set("s", several(3));
    const { ring } = await owners.owning("s");
    members.set(
      "s",
      several(3).map((each) => ({ ...each, metadata: "changed" })),
    );
    await clock.advance(VIEW_AGE_MS + 1);
    const next = await owners.owning("s");
    expect(reads).toBe(2);
    expect(next.ring).toBe(ring);
    expect(next.members.get("m1")?.metadata).toBe("changed");
    views.forget("s");
    expect((await owners.owning("s")).ring).toBe(ring);
    expect(reads).toBe(3);
  });

  test.each([
    ["one more", [...several(3), member("m3")]],
    ["one less", several(2)],
    ["another weight", [member("m0", 2), ...several(3).slice(1)]],
    ["a zone", [{ ...member("m0"), zone: "a" }, ...several(3).slice(1)]],
    ["another id", [...several(2), member("n2")]],
  ])("does not answer for others: %s", async (_, others) => {
    members.set("s", several(3));
    const { ring } = await owners.owning("s");
    members.set("s", others);
    views.forget("s");
    const next = await owners.owning("s");
    expect(next.ring.ringId).not.toBe(ring.ringId);
    expect(next.ring.members.map(({ id }) => id)).toEqual(others.map(({ id }) => id));
  });

  test("is one for reads that ran side by side", async () => {
    members.set("s", several(40));
    const first = owners.owning("s");
    views.forget("s");
    const second = owners.owning("s");
    expect((await first).ring).toBe((await second).ring);
    expect(reads).toBe(2);
  });
});
