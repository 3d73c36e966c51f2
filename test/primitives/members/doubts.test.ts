import { beforeEach, expect, test } from "vitest";
import { EventWindow } from "../../../src/algorithms/event-window.js";
import { mergeMembers } from "../../../src/algorithms/members.js";
import { Doubts } from "../../../src/primitives/members/events/doubts.js";
import type { Primaries } from "../../../src/quorum/primaries.js";
import { eventOf, type StoredEvent } from "../../../src/scripts/event-calls.js";
import type { MemberRecord } from "../../../src/scripts/member-calls.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { memberRecord } from "../../helpers/member-record.js";

// Events that one primary alone has, in virtual time: what the records of all say of them.

let clock: FakeClock;
let window: EventWindow<StoredEvent>;
let stored: readonly (MemberRecord | null)[];
let doubts: Doubts;
let places: number;
beforeEach(() => {
  clock = new FakeClock();
  window = new EventWindow(3, 2);
  places = 0;
  const merge = () =>
    mergeMembers(
      stored.map((record) => (record ? [record] : [])),
      { primaries: 3, majority: 2 },
      (newest) => newest,
    );
  doubts = new Doubts(
    "s",
    window,
    { all: [0, 1, 2], majority: 2 } as unknown as Primaries,
    {
      records: async () => ({
        merged: merge(),
        lookedAt: 1,
        nextIncarnation: 1,
        guardEndsInMs: 0,
        unanswered: 0,
      }),
    },
    clock,
  );
});

const noted = (primary: number, event: StoredEvent) =>
  window.note(primary, [{ place: { ms: ++places, seq: 0 }, event }], clock.monotonicMs());

/** What is told once doubts were looked at. */
async function told(): Promise<string[]> {
  const all: string[] = [];
  const take = () => {
    for (let next = window.next(clock.monotonicMs()); next; next = window.next(clock.monotonicMs()))
      all.push(`${next.event.kind} ${next.event.revision}`);
  };
  take();
  await clock.advance(1_000);
  await doubts.resolve();
  take();
  return all;
}

const drained = memberRecord({
  revision: 3,
  expired: "own",
  status: "draining",
  event: { kind: "left", why: "it has drained" },
});
/** A change reached this primary alone, and its time was over there as well. */
const failed = memberRecord({
  revision: 4,
  change: "x",
  expired: "own",
  event: { kind: "expired", why: "no heartbeat for its time to live" },
});

test("the end of a revision that a failed change left on one primary is not told after the end that a majority said", async () => {
  stored = [drained, drained, failed];
  for (const primary of [0, 1]) noted(primary, eventOf(drained));
  noted(2, eventOf({ ...failed, expired: null, event: { kind: "updated", why: "changed: weight" } }));
  noted(2, eventOf(failed));
  expect(await told()).toEqual(["left 3"]);
  // Nothing is pending: who comes back is told what comes after.
  expect(window.position()[2]).toMatchObject({ place: { ms: places } });
});

test("what a majority store is told, though one primary alone has the event", async () => {
  const joined = memberRecord();
  stored = [joined, joined, null];
  noted(0, eventOf(joined));
  expect(await told()).toEqual(["joined 1"]);
});
