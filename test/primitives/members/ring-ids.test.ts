import { beforeEach, describe, expect, test } from "vitest";
import { CoordinationError } from "../../../src/errors.js";
import { RingIds } from "../../../src/primitives/members/ring-ids.js";
import type { MemberRecord } from "../../../src/scripts/member-calls.js";
import { FakeClock, settled } from "../../helpers/fake-clock.js";

let clock: FakeClock;
let ringIds: RingIds;
/** Members by service. */
let members: Map<string, readonly string[]>;
let reads: string[];
let fails: boolean;

beforeEach(() => {
  clock = new FakeClock();
  members = new Map();
  reads = [];
  fails = false;
  const record = (id: string) => ({ id, registered: '{"weight":1,"zone":null}', load: "" }) as MemberRecord;
  ringIds = new RingIds(
    {
      ids: async (service) => {
        reads.push(service);
        if (fails) throw new CoordinationError("no_quorum", "none");
        return [...(members.get(service) ?? [])];
      },
      live: async (_, ids) => ids.map(record),
    },
    clock,
  );
});

/** What is told once it was read. */
async function told(service: string): Promise<string | null> {
  ringIds.recent(service);
  await clock.advance(10);
  return ringIds.recent(service);
}

describe("a ringId for heartbeats", () => {
  test("is not waited for: null until it was read", async () => {
    members.set("s", ["a"]);
    expect(ringIds.recent("s")).toBeNull();
    await settled();
    await clock.advance(1);
    expect(ringIds.recent("s")).toMatch(/^[0-9a-f]{16}$/);
  });

  test("is read once however many ask, and anew when a second has passed and somebody asks", async () => {
    members.set("s", ["a"]);
    const first = await told("s");
    for (let i = 0; i < 5; i++) expect(ringIds.recent("s")).toBe(first);
    await clock.advance(900);
    expect(ringIds.recent("s")).toBe(first);
    expect(reads).toEqual(["s"]);
    members.set("s", ["a", "b"]);
    await clock.advance(1_000);
    expect(reads).toEqual(["s"]);
    expect(ringIds.recent("s"), "the old one, while it is read").toBe(first);
    await clock.advance(10);
    expect(ringIds.recent("s")).not.toBe(first);
    expect(reads).toEqual(["s", "s"]);
  });

  test("is read anew at once when this instance has changed the members", async () => {
    const first = await told("s");
    members.set("s", ["a"]);
    ringIds.changed("s");
    expect(await told("s")).not.toBe(first);
  });

  test("is read of one service at a time, with a rest that grows with the service", async () => {
    const many = Array.from({ length: 1_000 }, (_, i) => `m${i}`);
    for (const service of ["s0", "s1", "s2"]) members.set(service, many);
    for (const service of members.keys()) ringIds.recent(service);
    await clock.advance(1);
    expect(reads).toEqual(["s0"]);
    await clock.advance(190);
    expect(reads).toEqual(["s0"]);
    await clock.advance(20);
    expect(reads).toEqual(["s0", "s1"]);
    await clock.advance(210);
    expect(reads).toEqual(["s0", "s1", "s2"]);
  });

  test("is null when it could not be read for a minute, and comes back", async () => {
    members.set("s", ["a"]);
    const first = await told("s");
    fails = true;
    for (let i = 0; i < 59; i++) {
      await clock.advance(1_000);
      expect(ringIds.recent("s")).toBe(first);
    }
    await clock.advance(2_000);
    expect(ringIds.recent("s")).toBeNull();
    fails = false;
    expect(await told("s")).toBe(first);
  });

  test("is kept of 2,000 services at most, and of none for longer than a minute", async () => {
    for (let i = 0; i < 3_000; i++) ringIds.recent(`s${i}`);
    await clock.advance(60_000);
    expect(reads).toHaveLength(2_000);
    expect(clock.pending).toBe(1);
    await clock.advance(120_000);
    expect(clock.pending).toBe(0);
  });
});
