import { expect, test } from "vitest";
import { QueueEntry, type WaitQueueView } from "../../../src/primitives/queue/queue-entry.js";
import type { Handoff } from "../../../src/redis/notifications.js";
import type { Claim } from "../../../src/scripts/lease-calls.js";
import { FakeClock } from "../../helpers/fake-clock.js";

const CLAIM: Claim = {
  leaseId: "lease",
  mode: "exclusive",
  resources: ["lock/a"],
  queues: ["lock/a"],
  fingerprint: null,
  limit: null,
};

/** A place with one attempt behind it, of three primaries. */
function placed(claim: Partial<Claim> = {}) {
  const clock = new FakeClock();
  const room = {
    majority: 2,
    stopped: false,
    isFirst: () => true,
    refused: () => {},
    after: clock.after,
    monotonicMs: clock.monotonicMs,
  } satisfies WaitQueueView;
  const place = new QueueEntry({ ...CLAIM, ...claim }, 7, "nonce", room);
  place.begin();
  return { place, clock, room };
}

const grant = (counter: number, other: Partial<Handoff> = {}): Handoff => ({
  nonce: "nonce",
  attemptNumber: 2,
  counter,
  serverMicros: 0,
  configurationEpoch: "1:nonce:primary",
  ...other,
});

test("an attempt has the odd turn, what is handed on after it the even one", () => {
  const { place } = placed();
  expect(place.begin()).toEqual({ nonce: "nonce", attemptNumber: 3 });
  expect(place.begin()).toEqual({ nonce: "nonce", attemptNumber: 5 });
});

test("what a majority have handed on ends the wait", async () => {
  const { place } = placed();
  const turn = place.wait(1_000, 900);
  place.handedOff(0, grant(8), 10);
  place.handedOff(2, grant(8), 12);
  expect(await turn).toBe("handed");
  expect(place.votes).toEqual([
    { counter: 8, sinceMs: 10 },
    { counter: 8, sinceMs: 12 },
  ]);
});

test("what a majority have handed on before it began to wait counts, too, even in the last moment", async () => {
  const { place, clock } = placed();
  place.handedOff(0, grant(8), 0);
  place.handedOff(1, grant(8), 0);
  await clock.advance(2_000);
  expect(await place.wait(1_000, 900)).toBe("handed");
});

test("one primary alone is waited for by no more than 20 ms, then it asks", async () => {
  const { place, clock } = placed();
  const turn = place.wait(1_000, 900);
  place.handedOff(1, grant(8), 0);
  place.handedOff(1, grant(10), 5);
  await clock.advance(19);
  expect(clock.pending).toBeGreaterThan(0);
  await clock.advance(1);
  expect(await turn).toBe("try");
  expect(place.votes, "the last word of each primary").toEqual([{ counter: 10, sinceMs: 5 }]);
});

test("nothing that was handed on before an attempt counts after it", async () => {
  const { place, clock } = placed();
  place.handedOff(0, grant(8), 0);
  place.begin();
  place.handedOff(1, grant(8), 0);
  expect(place.votes).toEqual([]);
  place.handedOff(1, grant(8, { attemptNumber: 4 }), 0);
  place.handedOff(2, grant(8, { attemptNumber: 3 }), 0);
  expect(place.votes).toHaveLength(1);
  const turn = place.wait(1_000, 900);
  await clock.advance(20);
  expect(await turn).toBe("try");
});

test("votes of two configurations are not put together", () => {
  const { place } = placed();
  place.handedOff(0, grant(8), 0);
  place.handedOff(1, grant(8, { configurationEpoch: "2:nonce:primary" }), 0);
  expect(place.votes).toHaveLength(1);
  place.handedOff(2, grant(8, { configurationEpoch: "2:nonce:primary" }), 0);
  expect(place.votes).toHaveLength(2);
});

test("primaries that only say that it is its turn are no votes", async () => {
  const { place } = placed();
  const turn = place.wait(1_000, 900);
  place.notified(0);
  place.notified(1);
  expect(await turn).toBe("try");
});

test("a client that has gone gets nothing, an instance that stops says so", async () => {
  const gone = placed();
  gone.place.handedOff(0, grant(8), 0);
  gone.place.handedOff(1, grant(8), 0);
  expect(await gone.place.wait(1_000, 900, AbortSignal.abort())).toBe("gone");
  const { place, room } = placed();
  room.stopped = true as false;
  place.nudge();
  await expect(place.wait(1_000, 900)).rejects.toMatchObject({ code: "shutting_down" });
});

test.each([
  ["one name for itself alone", {}, true],
  ["to be one of several readers", { mode: "shared" }, false],
  ["several names", { resources: ["lock/a", "lock/b"], queues: ["lock/a", "lock/b"] }, false],
  ["a permit", { limit: { semaphore: "pool", permits: 3 } }, false],
] as const)("who wants %s can be handed it on: %o, %s", (_, claim, handedOn) => {
  expect(placed(claim).place.acceptsHandoff).toBe(handedOn);
});
