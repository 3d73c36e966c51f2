import { expect, test } from "vitest";
import { Waiter } from "../../../src/primitives/queue/waiter.js";
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

/** A waiter with one attempt behind it, of three primaries. */
function waiting(claim: Partial<Claim> = {}) {
  const clock = new FakeClock();
  const waiter = new Waiter({ ...CLAIM, ...claim }, 7, "nonce", 2, clock);
  waiter.begin();
  return { waiter, clock };
}

const grant = (counter: number, other: Partial<Handoff> = {}): Handoff => ({
  nonce: "nonce",
  attemptNumber: 2,
  counter,
  serverMicros: 0,
  configurationEpoch: "1:nonce:primary",
  ...other,
});

test("an attempt has an odd number, a handoff after it the even one that follows", () => {
  const { waiter } = waiting();
  expect(waiter.begin()).toEqual({ nonce: "nonce", attemptNumber: 3 });
  expect(waiter.begin()).toEqual({ nonce: "nonce", attemptNumber: 5 });
});

test("a handoff by a majority ends the wait", async () => {
  const { waiter } = waiting();
  const wait = waiter.sleep(1_000);
  waiter.handedOff(0, grant(8), 10);
  waiter.handedOff(2, grant(8), 12);
  expect(await wait).toBe("handoff");
  expect(waiter.votes).toEqual([
    { counter: 8, sinceMs: 10 },
    { counter: 8, sinceMs: 12 },
  ]);
});

test("a handoff by a majority before the wait began counts too, even at the last moment", async () => {
  const { waiter, clock } = waiting();
  waiter.handedOff(0, grant(8), 0);
  waiter.handedOff(1, grant(8), 0);
  await clock.advance(2_000);
  expect(await waiter.sleep(1_000)).toBe("handoff");
});

test("after the handoff of one primary alone it asks within 20 ms", async () => {
  const { waiter, clock } = waiting();
  const wait = waiter.sleep(1_000);
  waiter.handedOff(1, grant(8), 0);
  waiter.handedOff(1, grant(10), 5);
  await clock.advance(19);
  expect(clock.pending).toBeGreaterThan(0);
  await clock.advance(1);
  expect(await wait).toBe("retry");
  expect(waiter.votes, "the last word of each primary").toEqual([{ counter: 10, sinceMs: 5 }]);
});

test("no handoff from before an attempt counts after it", async () => {
  const { waiter, clock } = waiting();
  waiter.handedOff(0, grant(8), 0);
  waiter.begin();
  waiter.handedOff(1, grant(8), 0);
  expect(waiter.votes).toEqual([]);
  waiter.handedOff(1, grant(8, { attemptNumber: 4 }), 0);
  waiter.handedOff(2, grant(8, { attemptNumber: 3 }), 0);
  expect(waiter.votes).toHaveLength(1);
  const wait = waiter.sleep(1_000);
  await clock.advance(20);
  expect(await wait).toBe("retry");
});

test("votes of two configurations are not put together", () => {
  const { waiter } = waiting();
  waiter.handedOff(0, grant(8), 0);
  waiter.handedOff(1, grant(8, { configurationEpoch: "2:nonce:primary" }), 0);
  expect(waiter.votes).toHaveLength(1);
  waiter.handedOff(2, grant(8, { configurationEpoch: "2:nonce:primary" }), 0);
  expect(waiter.votes).toHaveLength(2);
});

test("notifications are no votes", async () => {
  const { waiter } = waiting();
  const wait = waiter.sleep(1_000);
  waiter.notified(0);
  waiter.notified(1);
  expect(await wait).toBe("retry");
});

test("a client that has disconnected gets nothing", async () => {
  const { waiter } = waiting();
  waiter.handedOff(0, grant(8), 0);
  waiter.handedOff(1, grant(8), 0);
  expect(await waiter.sleep(1_000, AbortSignal.abort())).toBe("disconnected");
});

test.each([
  ["one name for itself alone", {}, true],
  ["to be one of several readers", { mode: "shared" }, false],
  ["several names", { resources: ["lock/a", "lock/b"], queues: ["lock/a", "lock/b"] }, false],
  ["a permit", { limit: { semaphore: "pool", permits: 3 } }, false],
] as const)("a claim to %s accepts a handoff: %o, %s", (_, claim, accepts) => {
  expect(waiting(claim).waiter.acceptsHandoff).toBe(accepts);
});
