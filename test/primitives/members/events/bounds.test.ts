import { describe, expect, test } from "vitest";
import { EventLog } from "../../../../src/primitives/members/events/event-log.js";
import { MemberEvents } from "../../../../src/primitives/members/events/member-events.js";
import type { Membership } from "../../../../src/primitives/members/membership.js";
import type { Primaries } from "../../../../src/quorum/primaries.js";
import { Keys } from "../../../../src/scripts/keys.js";
import { FakeClock } from "../../../helpers/fake-clock.js";

// What an instance keeps of events, in virtual time; the primaries have nothing to tell.

const ONCE_UNUSED_MS = 10_000;

function eventsOf(clock: FakeClock, majority: number): MemberEvents {
  const members = {
    reads: { ids: async () => [], live: async () => [] },
    suspicions: { suspected: async () => new Map() },
  } as unknown as Pick<Membership, "reads" | "suspicions">;
  const primaries = { all: [], majority, noQuorum: () => new Error("no_quorum") } as unknown as Primaries;
  return new MemberEvents(primaries, members, new Keys("q:"), clock);
}

describe("an instance follows 1,000 services", () => {
  test("and no further one, until one of them is watched no more", async () => {
    const clock = new FakeClock();
    const events = eventsOf(clock, 0);
    const watching = Array.from({ length: 1_000 }, (_, i) => events.watch(`s-${i}`, null));
    await clock.advance(10);
    const [first] = await Promise.all(watching);
    await expect(events.watch("one-more", null)).rejects.toMatchObject({ code: "overloaded" });
    const again = events.watch("s-0", null);
    await clock.advance(10);
    (await again).end();
    first?.end();
    // A watcher that ends twice does not end for another.
    first?.end();
    await clock.advance(ONCE_UNUSED_MS);
    expect(events.feeds).toBe(999);
    const more = events.watch("one-more", null);
    await clock.advance(10);
    (await more).end();
  });

  test("but none of those of which a majority tell nothing", async () => {
    const clock = new FakeClock();
    const events = eventsOf(clock, 1);
    const watching = events.watch("s", null).catch((error: Error) => error.message);
    await clock.advance(5_000);
    expect([await watching, events.feeds]).toEqual(["no_quorum", 0]);
  });
});

test("a watcher may be 2,000 messages behind, and finds its place gone beyond", () => {
  const log = new EventLog(new FakeClock());
  const push = (count: number) => {
    for (let i = 0; i < count; i++) log.push({ kind: "ring-changed", ringId: String(i) });
  };
  push(2_000);
  expect(log.from(0, 1)).toMatchObject([{ ringId: "0" }]);
  push(1);
  expect(log.from(0, 1)).toBeNull();
  expect(log.from(log.end - 1, 10)).toMatchObject([{ ringId: "0" }]);
  // However many more there are.
  push(100_000);
  expect(log.from(log.end - 2_001, 1)).toBeNull();
});
